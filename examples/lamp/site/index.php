<?php
// The guest book: ?name=… writes into it.
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
$password = 'change me here and in site/index.php';
$db = new mysqli('localhost', 'site', $password, 'site', socket: '/run/mysqld/mysqld.sock');
if (isset($_GET['name'])) {
    $db->execute_query('INSERT INTO guests (name) VALUES (?)', [$_GET['name']]);
}
foreach ($db->query('SELECT name FROM guests ORDER BY number') as $guest) {
    printf("<p>%s was here</p>\n", htmlspecialchars($guest['name']));
}
