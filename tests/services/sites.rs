//! What the Linux-VServer document proposes: web hosting, and a LAMP server.

use super::{Service, answers, up};
use jaula_tests::harness::{Machine, Outcome, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::fs;

pub(crate) fn trials() -> Vec<Trial> {
    trials!("services": privileged [hosting, lamp])
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
