<?php
printf("<h1>The site of Bruno</h1>\n<p>made in the jail %s</p>\n", gethostname());
