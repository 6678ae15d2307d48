CREATE DATABASE IF NOT EXISTS site;
CREATE USER IF NOT EXISTS site@localhost IDENTIFIED BY 'change me here and in site/index.php';
GRANT SELECT, INSERT ON site.* TO site@localhost;
CREATE TABLE IF NOT EXISTS site.guests (number INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(80) NOT NULL);
