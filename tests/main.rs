//! The runner of all tests of jaula: `cargo xtask test [FILTER]`.
#![forbid(unsafe_code)]

mod archives;
mod audit;
mod badinput;
mod bind;
mod boot;
mod bootorder;
mod building;
mod completion;
mod confinement;
mod console;
mod declared;
mod documents;
mod escapes;
mod exec;
mod families;
mod faults;
mod firewall;
mod ground;
mod guest;
mod hosts;
mod images;
mod interrupted;
mod isolation;
mod keeper;
mod keeping;
mod lab;
mod lifecycle;
mod links;
mod manage;
mod mounts_live;
mod names;
mod needs;
mod neighbours;
mod ports;
mod races;
mod rate;
mod reach;
mod refresh;
mod roots;
mod selftest;
mod servers;
mod services;
mod stores;
mod trace;
mod unprivileged;
mod writable;

use std::process::ExitCode;

fn main() -> ExitCode {
    let areas = [
        archives::trials(),
        audit::trials(),
        badinput::trials(),
        bind::trials(),
        boot::trials(),
        bootorder::trials(),
        building::trials(),
        completion::trials(),
        confinement::trials(),
        console::trials(),
        documents::trials(),
        escapes::trials(),
        exec::trials(),
        families::trials(),
        faults::trials(),
        firewall::trials(),
        guest::trials(),
        hosts::trials(),
        images::trials(),
        interrupted::trials(),
        isolation::trials(),
        keeper::trials(),
        keeping::trials(),
        lab::trials(),
        lifecycle::trials(),
        links::trials(),
        manage::trials(),
        mounts_live::trials(),
        names::trials(),
        needs::trials(),
        neighbours::trials(),
        ports::trials(),
        races::trials(),
        rate::trials(),
        reach::trials(),
        refresh::trials(),
        roots::trials(),
        selftest::trials(),
        servers::trials(),
        services::trials(),
        stores::trials(),
        trace::trials(),
        unprivileged::trials(),
        writable::trials(),
    ];
    jaula_tests::harness::run(areas.into_iter().flatten().collect())
}
