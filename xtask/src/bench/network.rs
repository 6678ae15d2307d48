//! What a network mode costs: throughput, requests, latency, and the start of a jail.
//!
//! Two network namespaces of the benchmark's own stand for a host and for another machine, joined by a veth. Each
//! server has such a pair, so that it passes its own rules only; all stand at once and are asked in turn.

pub(super) mod scene;
mod servers;
mod start;

use super::timing::Times;
use super::{Ground, report};
use crate::shell::{Result, has, output};
use scene::Scene;
use servers::Server;
use std::fmt::Write;

/// So often all servers are started anew. Two that are the same differ by up to 9 % for as long as they live, by where
/// their memory lies and which processor takes their packets.
const LIVES: usize = 5;
const ROUNDS: usize = 2;

/// One server's figures, one of each per round.
#[derive(Default)]
struct Figures {
    gigabits: Vec<f64>,
    requests: Vec<f64>,
    half_ms: Vec<f64>,
    last_ms: Vec<f64>,
}

pub(super) fn network(ground: &Ground) -> Result {
    let jaula = ground.jaula.as_ref().ok_or("there is no jaula that starts jails")?;
    if let Some(missing) = ["iperf3", "wrk", "nginx", "nsenter"].iter().find(|program| !has(program)) {
        return Err(format!("{missing} is not here: cargo xtask setup gets it").into());
    }
    let mut names = Vec::new();
    let mut figures: Vec<Figures> = Vec::new();
    let mut absent = Vec::new();
    for life in 0..LIVES {
        let directory = ground.fresh("network")?;
        let (servers, why_not) = servers::begin(jaula, ground, &directory)?;
        absent = why_not;
        let now: Vec<_> = servers.iter().map(|server| server.name.clone()).collect();
        if life > 0 && now != names {
            return Err(format!("not all stand again: {}", absent.join("; ")).into());
        }
        names = now;
        figures.resize_with(names.len(), Figures::default);
        for round in 0..ROUNDS {
            for turn in 0..servers.len() {
                let who = (turn + round + life) % servers.len();
                measure(&servers[who], &mut figures[who])?;
            }
        }
        println!("bench: {} of {LIVES}", life + 1);
    }
    let (table, values) = table(&names, &figures)?;
    let directory = ground.fresh("network")?;
    let scene = Scene::make()?;
    let (starts, start_values) = start::starts(ground, &scene, jaula, &directory)?;
    drop(scene);
    report::write_json("network", &serde_json::json!({ "servers": values, "starts": start_values }))?;
    let absent: String = absent.iter().map(|why| format!("- {why}\n")).collect();
    let absent = if absent.is_empty() { absent } else { format!("\nNot measured:\n\n{absent}") };
    let text = format!(
        "A server on a host, asked by another machine; both are network namespaces, joined by a veth. Throughput is \
         `iperf3`'s, one TCP stream into the server for 2 s; requests are `wrk`'s, one thread with 16 connections for 2 s, \
         of a file of 1 KiB from an nginx with one worker. Each server has such a pair of its own, with no rules but its \
         own; all stand at once and are asked in turn, {ROUNDS} rounds; medians of {LIVES} times that, each with servers started anew. The \
         asking and the answering side share two processors: how much of a difference is none shows the second bare host, which \
         is the first one again. What the confinement costs shows the jail in mode `host`, and what its addresses cost that \
         in mode `bind` beside it.\n\n{table}{absent}\n{starts}"
    );
    report::write_section("network", "Network", &text)
}

fn measure(server: &Server, figures: &mut Figures) -> Result {
    let said = output(&mut server.scene.beyond(&["iperf3", "-c", &server.address, "-t", "2", "-J"]))?;
    let said: serde_json::Value = serde_json::from_str(&said)?;
    let bits = said["end"]["sum_received"]["bits_per_second"].as_f64();
    figures.gigabits.push(bits.ok_or("iperf3 said no rate")? / 1e9);
    let url = format!("http://{}:{}/file", server.address, servers::PORT);
    let said = output(&mut server.scene.beyond(&["wrk", "-t1", "-c16", "-d2s", "--latency", &url]))?;
    if said.contains("Non-2xx") {
        return Err(format!("{} does not serve: {said}", server.name).into());
    }
    let word = |of: &str| {
        let line = said.lines().find_map(|line| line.trim().strip_prefix(of));
        line.map(|rest| rest.trim().to_owned()).ok_or_else(|| format!("wrk said no {of}"))
    };
    figures.requests.push(word("Requests/sec:")?.parse()?);
    figures.half_ms.push(milliseconds(&word("50%")?)?);
    figures.last_ms.push(milliseconds(&word("99%")?)?);
    Ok(())
}

/// `1.23ms`, `890.00us` or `1.02s`, as wrk says it.
fn milliseconds(text: &str) -> Result<f64> {
    let (number, factor) = match (text.strip_suffix("us"), text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), ..) => (number, 0.001),
        (_, Some(number), _) => (number, 1.0),
        (_, _, Some(number)) => (number, 1000.0),
        _ => return Err(format!("{text} is no time").into()),
    };
    Ok(number.parse::<f64>()? * factor)
}

fn table(names: &[String], figures: &[Figures]) -> Result<(String, Vec<serde_json::Value>)> {
    let mut table = String::from(
        "| | Gbit/s | ÷ host | requests/s | ÷ host | 50 % ms | 99 % ms |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    let median = |all: &[f64]| Times::new(all.to_vec()).median();
    let (bare_gigabits, bare_requests) = (median(&figures[0].gigabits), median(&figures[0].requests));
    let mut values = Vec::new();
    for (name, figures) in names.iter().zip(figures) {
        let (gigabits, requests) = (median(&figures.gigabits), median(&figures.requests));
        let (half, last) = (median(&figures.half_ms), median(&figures.last_ms));
        writeln!(
            table,
            "| {} | {gigabits:.2} | {:.2} | {requests:.0} | {:.2} | {half:.2} | {last:.2} |",
            name,
            gigabits / bare_gigabits,
            requests / bare_requests,
        )?;
        values.push(serde_json::json!({
            "name": name, "gigabits_per_second": gigabits, "requests_per_second": requests,
            "half_ms": half, "last_ms": last,
        }));
    }
    Ok((table, values))
}

#[cfg(test)]
mod tests {
    use super::milliseconds;

    #[test]
    fn times_of_wrk() {
        assert_eq!(milliseconds("890.00us").unwrap(), 0.89);
        assert_eq!(milliseconds("1.23ms").unwrap(), 1.23);
        assert_eq!(milliseconds("1.02s").unwrap(), 1020.0);
        assert!(milliseconds("fast").is_err());
    }
}
