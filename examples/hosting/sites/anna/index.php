<?php
printf("<h1>The site of Anna</h1>\n<p>made in the jail %s</p>\n", gethostname());
