//! What the Linux-VServer document proposes: web hosting, a LAMP server, and services that share an address.

use super::{Service, answers, up};
use jaula_tests::harness::{Machine, Outcome, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::fs;

pub(crate) fn trials() -> Vec<Trial> {
    trials!("services": privileged [hosting, lamp, proxy])
}

/// Two customers; neither reaches the other, whatever their pages do.
fn hosting(t: &Test) -> Outcome {
    let machine = Machine::boot(t)?;
    up(&machine, "hosting")?;
    let [front, anna, bruno] = ["front", "anna", "bruno"].map(|name| Service::of(t, &machine, name));
    let page =
        |customer: &str, path: &str| format!("curl -isS -H 'Host: {customer}.test' http://localhost/{path}");
    answers(&machine, &page("anna", ""), "<p>made in the jail anna</p>")?;
    answers(&machine, &page("bruno", ""), "<p>made in the jail bruno</p>")?;
    answers(&machine, &page("nobody", ""), "404 Not Found")?;
    front.is_held(33, 0)?;
    anna.is_held(0, 0)?;
    bruno.is_held(0, 0)?;
    assert_ne!(anna.jail.state().map(|s| s["id"].clone()), bruno.jail.state().map(|s| s["id"].clone()));

    let probe = "<?php
        $other = $_SERVER['HTTP_HOST'] == 'anna.test' ? 'bruno' : 'anna';
        echo 'sites: ', implode(' ', array_diff(scandir('/srv/sites'), ['.', '..'])), \"\\n\";
        echo 'socket: ', @stream_socket_client(\"unix:///run/$other/php.sock\") ? 'yes' : 'none', \"\\n\";
        echo 'processes: ', count(preg_grep('/^\\d+$/', scandir('/proc'))), \"\\n\";";
    for customer in ["anna", "bruno"] {
        fs::write(machine.path(&format!("/srv/examples/hosting/sites/{customer}/probe.php")), probe)?;
        let found = machine.shell(&page(customer, "probe.php"))?;
        // php-fpm and the process that answers.
        let right = format!("\r\n\r\nsites: {customer}\nsocket: none\nprocesses: 2\n");
        assert!(found.ends_with(&right), "{customer} finds {found}");
    }
    bruno.stops()?;
    answers(&machine, &page("bruno", ""), "502 Bad Gateway")?;
    answers(&machine, &page("anna", ""), "<p>made in the jail anna</p>")?;
    anna.stops()?;
    front.stops()
}

/// A guest book keeps what guests write.
fn lamp(t: &Test) -> Outcome {
    let machine = Machine::boot(t)?;
    up(&machine, "lamp")?;
    let jails = ["lamp-web", "lamp-php", "lamp-db"].map(|name| Service::of(t, &machine, name));
    answers(&machine, "curl -sS 'http://localhost/?name=<Rosa>'", "<p>&lt;Rosa&gt; was here</p>")?;
    let mysql = machine.shell("id -u mysql")?.trim().parse()?;
    for (jail, user) in jails.iter().zip([33, 33, mysql]) {
        jail.is_held(user, 0)?;
    }
    jails.iter().try_for_each(Service::stops)?;
    up(&machine, "lamp")?;
    machine.shell("curl -sS 'http://localhost/?name=Zapata'")?;
    let book = machine.shell("curl -sS http://localhost/")?;
    assert!(
        book.starts_with("<p>&lt;Rosa&gt; was here</p>\n") && book.ends_with("<p>Zapata was here</p>\n"),
        "{book}"
    );
    jails.iter().try_for_each(Service::stops)
}

/// Two sites at one address and port of the host, which only the proxy reaches.
fn proxy(t: &Test) -> Outcome {
    let machine = Machine::boot(t)?;
    machine.shell(
        "sysctl -qw net.ipv4.ip_forward=1 && ip link set lo up && ip address add 192.0.2.1/32 dev lo",
    )?;
    up(&machine, "proxy")?;
    let [proxy, shop, wiki] = ["proxy", "shop", "wiki"].map(|name| Service::of(t, &machine, name));
    let page = |site: &str| format!("curl -isS -H 'Host: {site}.test' http://192.0.2.1/");
    answers(&machine, &page("shop"), "<h1>The shop</h1>")?;
    answers(&machine, &page("wiki"), "<h1>The wiki</h1>")?;
    answers(&machine, &page("nobody"), "404 Not Found")?;
    for jail in [&proxy, &shop, &wiki] {
        jail.is_held(33, 0)?;
    }
    // Who asked is in the log of the site, too.
    shop.logs("/var/log/nginx", "access.log", "192.0.2.1 - - [")?;
    wiki.stops()?;
    let before = machine.shell(&page("shop"))?;
    assert!(before.contains("<h1>The shop</h1>"), "{before}");
    answers(&machine, &page("wiki"), "50")?;
    wiki.jaula("start", &[])?;
    answers(&machine, &page("wiki"), "<h1>The wiki</h1>")?;
    [proxy, shop, wiki].iter().try_for_each(Service::stops)?;
    assert_eq!(machine.shell("ip -o link | wc -l")?.trim(), "1", "their links go with them");
    Ok(())
}
