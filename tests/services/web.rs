//! Pages: nginx with TLS, Apache with PHP, curl.

use super::{Service, answers, up};
use crate::declared::until;
use jaula_tests::harness::{Machine, Outcome, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::fs;

pub(crate) fn trials() -> Vec<Trial> {
    trials!("services": privileged [nginx_with_tls, apache_with_php, curl_with_tls])
}

const WWW_DATA: u32 = 33;
/// A certificate for the machine's name.
const CERTIFY: &str = "make-ssl-cert generate-default-snakeoil --force-overwrite";
const FETCH: &str = "curl -isS --cacert /etc/ssl/certs/ssl-cert-snakeoil.pem https://machine/";

fn nginx_with_tls(t: &Test) -> Outcome {
    let machine = Machine::boot(t)?;
    machine.shell(CERTIFY)?;
    up(&machine, "nginx-tls")?;
    let www = Service::of(t, &machine, "www");
    answers(&machine, FETCH, "<h1>From a jail</h1>")?;
    www.is_held(WWW_DATA, 0)?;
    answers(&machine, "curl -isS http://machine/x", "Location: https://machine/x")?;
    www.logs("/var/log/nginx", "access.log", "\"GET / HTTP")?;

    // An editor puts a new file in the place of the old one.
    machine.shell("cd /srv/examples/nginx-tls/conf; sed 's/root /add_header X-Read again; &/' nginx.conf > new; mv new nginx.conf")?;
    www.jaula("signal", &["HUP"])?;
    answers(&machine, FETCH, "X-Read: again")?;

    // It cannot have ports that are not listed.
    machine.shell(
        "cd /srv/examples/nginx-tls/conf; sed 's/listen 80;/listen 81;/' nginx.conf > new; mv new nginx.conf",
    )?;
    www.jaula("signal", &["HUP"])?;
    www.logs("/var/log/nginx", "error.log", "bind() to 0.0.0.0:81 failed")?;

    www.stops()?;
    machine.shell("cd /srv/examples/nginx-tls/conf; sed -i 's/listen 81;/listen 80;/' nginx.conf")?;
    www.jaula("start", &[])?;
    answers(&machine, FETCH, "<h1>From a jail</h1>")?;
    // What it logged before is still there.
    www.logs("/var/log/nginx", "access.log", "\"GET /x HTTP")?;
    www.stops()
}

fn apache_with_php(t: &Test) -> Outcome {
    let machine = Machine::boot(t)?;
    up(&machine, "apache-php")?;
    let (apache, php) = (Service::of(t, &machine, "apache"), Service::of(t, &machine, "php"));
    answers(&machine, "curl -sS 'http://localhost/?word=<Hi>'", "<h1>&lt;Hi&gt; from php</h1>")?;
    apache.is_held(WWW_DATA, 0)?;
    php.is_held(WWW_DATA, 0)?;
    apache.logs("/var/log/apache2", "access.log", "GET /?word")?;
    php.logs("/var/log/php", "access.log", "GET /index.php")?;

    // What a stranger who runs PHP of his own finds: no network, no other program, nothing to write to.
    let probe = "<?php
        $s = @fsockopen('127.0.0.1', 80, $n, $why); echo 'network: ', $s ? 'yes' : 'none', \"\\n\";
        echo 'program: ', @shell_exec('id') ?: 'none', \"\\n\";
        echo 'site: ', @file_put_contents('/srv/site/x.php', 'x') ?: 'kept', \"\\n\";
        echo 'passwords: ', @file_get_contents('/etc/shadow') ?: 'none', \"\\n\";";
    fs::write(machine.path("/srv/examples/apache-php/site/probe.php"), probe)?;
    let found = machine.shell("curl -sS http://localhost/probe.php")?;
    assert_eq!(found, "network: none\nprogram: none\nsite: kept\npasswords: none\n");

    machine.shell(
        "echo 'php_value[arg_separator.output] = \"~\"' >> /srv/examples/apache-php/conf/php-fpm.conf",
    )?;
    fs::write(
        machine.path("/srv/examples/apache-php/site/ini.php"),
        "<?php echo ini_get('arg_separator.output');",
    )?;
    php.jaula("signal", &["USR2"])?;
    answers(&machine, "curl -sS http://localhost/ini.php", "stdout: ~\n")?;
    machine.shell("echo 'Redirect /old /new' > /dev/null; echo 'ErrorDocument 404 \"not in this jail\"' >> /srv/examples/apache-php/conf/apache2.conf")?;
    apache.jaula("signal", &["USR1"])?;
    answers(&machine, "curl -sS http://localhost/nothing", "not in this jail")?;

    // The other jail stops, starts again, and is found again.
    php.stops()?;
    answers(&machine, "curl -isS http://localhost/", "503 Service Unavailable")?;
    php.jaula("start", &[])?;
    answers(&machine, "curl -sS http://localhost/", "<h1>Hello from php</h1>")?;
    apache.stops()?;
    php.stops()
}

/// curl in a jail asks nginx in another one, and believes only whom it has been told to.
fn curl_with_tls(t: &Test) -> Outcome {
    let machine = Machine::boot(t)?;
    machine.shell(CERTIFY)?;
    up(&machine, "nginx-tls")?;
    answers(&machine, FETCH, "<h1>From a jail</h1>")?;
    machine.shell("sed -i 's,^url.*,url = \"https://machine/\",' /srv/examples/curl/curlrc")?;
    up(&machine, "curl")?;
    let fetch = Service::of(t, &machine, "fetch");
    until("the end of curl", || (fetch.jail.last().ok()?["status"] == 60).then_some(()))?;
    assert!(fetch.jail.log().contains("self-signed certificate"), "{}", fetch.jail.log());

    machine.shell("cp /etc/ssl/certs/ssl-cert-snakeoil.pem /usr/local/share/ca-certificates/machine.crt; update-ca-certificates 2>&1")?;
    fetch.jaula("start", &[])?;
    fetch.jail.says("<h1>From a jail</h1>")?;
    until("the end of curl", || (fetch.jail.last().ok()?["status"] == 0).then_some(()))?;
    Service::of(t, &machine, "www").stops()
}
