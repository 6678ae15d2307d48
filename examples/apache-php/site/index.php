<?php
// Two jails made this: PHP ran here, Apache passed it on.
printf("<h1>%s from %s</h1>\n", htmlspecialchars($_GET['word'] ?? 'Hello'), gethostname());
