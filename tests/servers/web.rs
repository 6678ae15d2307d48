//! nginx inside, as its package configures it, and a real client on another host.

use crate::boot::Server;
use jaula_tests::harness::{CLIENT, Cable, Outcome, Template, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;

pub(super) fn trials() -> Vec<Trial> {
    trials!("servers": privileged [
        a_page_is_served_at_an_address,
        a_page_is_served_on_the_network_of_the_host,
    ])
}

const GET: &str = "import sys, urllib.request as u\n\
                   try: print(u.urlopen(sys.argv[1], timeout=10).read().decode(), end='')\n\
                   except OSError as e: print(e.reason)";

pub(super) fn get(cable: &Cable<'_>, url: &str) -> Outcome<String> {
    cable.client(&["python3", "-c", GET, url])?.ok()
}

fn serves(t: &Test, template: Template, network: &[&str]) -> Outcome {
    let cable = Cable::lay(t, &["192.0.2.10", "192.0.2.11", "2001:db8::10"])?;
    let server = Server::built(t, cable.jaula(), template, "web", network)?;
    server.start()?;
    server.nothing_failed()?;
    assert!(get(&cable, "http://192.0.2.10/")?.contains("Welcome to nginx"), "the package's own page");
    server.shell("echo page of the jail >/var/www/html/index.html")?;
    for url in ["http://192.0.2.10/", "http://[2001:db8::10]/"] {
        assert_eq!(get(&cable, url)?, "page of the jail\n", "{url}");
    }
    let elsewhere = get(&cable, "http://192.0.2.11/")?;
    let whole = network.contains(&"host");
    assert_eq!(elsewhere == "page of the jail\n", whole, "another address of the host: {elsewhere}");
    // It sees who asks, works as its own user, and reads its configuration again without being away.
    server.shell(&format!("grep -q '^{CLIENT} .*GET' /var/log/nginx/access.log"))?;
    assert_eq!(server.shell("ps -o user= -C nginx | sort | uniq | tr '\\n' ' '")?, "root www-data ");
    server.shell("sed -i 's/listen 80 default_server/listen 8080 default_server/' /etc/nginx/sites-available/default && systemctl reload nginx")?;
    crate::declared::until("the other port", || {
        (get(&cable, "http://192.0.2.10:8080/").ok()? == "page of the jail\n").then_some(())
    })?;
    server.shell("systemctl stop nginx")?;
    assert!(get(&cable, "http://192.0.2.10:8080/")?.contains("refused"));
    server.nothing_failed()?;
    server.end()
}

fn a_page_is_served_at_an_address(t: &Test) -> Outcome {
    serves(t, Template::Debian13, &["--ip", "192.0.2.10", "--ip", "2001:db8::10"])
}

fn a_page_is_served_on_the_network_of_the_host(t: &Test) -> Outcome {
    serves(t, Template::Debian12, &["--network", "host"])
}
