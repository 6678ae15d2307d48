//! What keeps data: Redis, PostgreSQL, MariaDB, and a mail server.

use super::{Service, answers, up};
use crate::declared::until;
use jaula_tests::harness::{Machine, Outcome, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::fs;

pub(crate) fn trials() -> Vec<Trial> {
    trials!("services": privileged [mariadb, postfix, postgresql, redis])
}

/// The number of a user of the machine.
fn user(machine: &Machine<'_>, name: &str) -> Outcome<u32> {
    Ok(machine.shell(&format!("id -u {name}"))?.trim().parse()?)
}

fn redis(t: &Test) -> Outcome {
    let machine = Machine::boot(t)?;
    up(&machine, "redis")?;
    let redis = Service::of(t, &machine, "redis");
    assert_eq!(machine.shell("redis-cli set a 42; redis-cli get a")?, "OK\n42\n");
    redis.is_held(user(&machine, "redis")?, 0)?;
    assert_eq!(redis.jaula("exec", &["redis-cli", "config", "get", "maxmemory"])?, "maxmemory\n268435456\n");
    redis.stops()?;
    redis.logs_kept("/var/log/redis", "redis-server.log", "Redis is now ready to exit")?;

    // Another file of configuration, and the data that were written.
    machine.shell("sed -i s/256mb/128mb/ /srv/examples/redis/redis.conf")?;
    redis.jaula("start", &[])?;
    assert_eq!(
        machine.shell("redis-cli get a; redis-cli config get maxmemory")?,
        "42\nmaxmemory\n134217728\n"
    );
    machine.shell(&format!("kill -9 {}", redis.jail.first()?))?;
    answers(&machine, "redis-cli get a", "42\n")?;
    redis.stops()
}

fn postgresql(t: &Test) -> Outcome {
    let machine = Machine::boot(t)?;
    up(&machine, "postgresql")?;
    let db = Service::of(t, &machine, "db");
    db.is_held(user(&machine, "postgres")?, 0)?;
    let sql = "create table t (n int); insert into t select generate_series(1, 1000);
        create role app login password 'secret'; grant select on t to app";
    db.jaula("exec", &["--user", "postgres", "--", "psql", "-qc", sql])?;
    let ask = |question: &str| {
        machine.shell(&format!("PGPASSWORD=secret psql -h 127.0.0.1 -U app -Atc '{question}' postgres"))
    };
    assert_eq!(ask("select sum(n) from t")?, "500500\n");
    let refused = machine.run(&["psql", "-h", "127.0.0.1", "-wU", "postgres"])?;
    assert!(refused.stderr.contains("no password supplied"), "{refused}");

    machine.shell("sed 's/^port/work_mem = 5MB\\n&/' -i /srv/examples/postgresql/conf/jail.conf")?;
    db.jaula("signal", &["HUP"])?;
    answers(&machine, "PGPASSWORD=secret psql -h 127.0.0.1 -U app -Atc 'show work_mem' postgres", "5MB")?;
    db.logs("/var/log/postgresql", "postgresql.log", "parameter \"work_mem\" changed")?;

    // A session is open while it stops.
    let mut session = machine.command(&[
        "env",
        "PGPASSWORD=secret",
        "psql",
        "-h",
        "127.0.0.1",
        "-U",
        "app",
        "-c",
        "select pg_sleep(600)",
        "postgres",
    ]);
    let mut session =
        session.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn()?;
    answers(
        &machine,
        "PGPASSWORD=secret psql -h 127.0.0.1 -U app -Atc \"select query from pg_stat_activity where pid <> pg_backend_pid()\" postgres",
        "pg_sleep",
    )?;
    db.stops()?;
    session.wait()?;
    db.logs_kept("/var/log/postgresql", "postgresql.log", "database system is shut down")?;
    db.jaula("start", &[])?;
    assert_eq!(ask("select sum(n) from t")?, "500500\n");
    assert!(
        !fs::read_to_string(db.kept("/var/log/postgresql", "postgresql.log"))?
            .contains("was not properly shut down")
    );
    db.stops()
}

fn mariadb(t: &Test) -> Outcome {
    let machine = Machine::boot(t)?;
    up(&machine, "mariadb")?;
    let sql = Service::of(t, &machine, "sql");
    sql.is_held(user(&machine, "mysql")?, 0)?;
    let statements = "create database shop; create table shop.t (n int); insert into shop.t values (40), (2);
        create user app@localhost identified by 'secret'; grant select on shop.* to app@localhost";
    sql.jaula("exec", &["mariadb", "-e", statements])?;
    let ask = "mariadb -h 127.0.0.1 -u app -psecret -Ne 'select sum(n) from t' shop";
    assert_eq!(machine.shell(ask)?.trim(), "42");
    let refused = machine.run(&["mariadb", "-h", "127.0.0.1", "-u", "root"])?;
    assert!(refused.stderr.contains("Access denied"), "{refused}");
    sql.logs("/var/log/mysql", "error.log", "ready for connections")?;
    sql.stops()?;
    sql.logs_kept("/var/log/mysql", "error.log", "Shutdown complete")?;

    machine.shell("sed '/^port/a max_connections = 33' -i /srv/examples/mariadb/jail.cnf")?;
    sql.jaula("start", &[])?;
    assert_eq!(machine.shell(ask)?.trim(), "42");
    assert_eq!(sql.jaula("exec", &["mariadb", "-Ne", "select @@max_connections"])?.trim(), "33");
    sql.stops()
}

/// Mail for root, by the network, into the box of the user mail.
fn postfix(t: &Test) -> Outcome {
    let machine = Machine::boot(t)?;
    up(&machine, "postfix")?;
    let mail = Service::of(t, &machine, "mail");
    let send = |to: &str| {
        let curl =
            ["curl", "-sS", "smtp://127.0.0.1", "--mail-from", "me@localhost", "--mail-rcpt", to, "-T", "-"];
        machine.feed(&curl, b"Subject: from a test\r\n\r\nHello\r\n")
    };
    send("root@localhost")?.ok()?;
    let mailbox = mail.kept("/var/mail", "mail");
    until("mail in the box", || {
        fs::read_to_string(&mailbox).ok()?.contains("\nSubject: from a test\n").then_some(())
    })?;
    let owner = machine.run(&["stat", "-c", "%U %a", &mailbox.display().to_string()])?.ok()?;
    assert_eq!(owner.trim(), "mail 600");
    assert_eq!(mail.jaula("exec", &["postqueue", "-p"])?.trim(), "Mail queue is empty");
    mail.logs("/var/log/postfix", "mail.log", "status=sent (delivered to mailbox)")?;
    // Nobody else's mail is taken, and whom it does not know neither.
    for to in ["me@example.org", "nosuch@localhost"] {
        let done = send(to)?;
        assert!(!done.status.success() && done.stderr.contains("RCPT failed"), "{done}");
    }

    // Who talks to the network is not root, and root has only what delivering takes.
    let users = mail.users()?;
    let postfix = user(&machine, "postfix")?;
    assert!(
        users.iter().all(|(program, user)| *user == postfix || program == "master" || program == "local"),
        "{users:?}"
    );
    assert!(users.iter().any(|(program, user)| program == "smtpd" && *user == postfix), "{users:?}");

    machine.shell("echo 'smtpd_banner = read again' >> /srv/examples/postfix/conf/main.cf")?;
    mail.jaula("signal", &["HUP"])?;
    answers(&machine, "curl -svm5 smtp://127.0.0.1 2>&1", "220 read again")?;
    mail.stops()?;
    mail.jaula("start", &[])?;
    send("postmaster@localhost")?.ok()?;
    until("a second mail", || {
        (fs::read_to_string(&mailbox).ok()?.matches("\nSubject: ").count() == 2).then_some(())
    })?;
    mail.stops()
}
