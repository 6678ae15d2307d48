//! The table as another version of jaula has made it, while its jails run.

use super::{HEAR, HOST, host, lay};
use crate::firewall::{ANSWER, start};
use jaula_tests::harness::{CLIENT, Cable, Outcome, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;

pub(super) fn trials() -> Vec<Trial> {
    trials!("firewall": privileged [
        the_table_of_another_version_is_made_anew,
        gc_makes_the_table_of_another_version_anew,
        what_other_houses_have_in_it_is_not_lost,
    ])
}

/// Makes the table another one, with these jails in it: a set of the same name with other keys, a chain with a hook of
/// its own, a chain that there is no more.
fn other(cable: &Cable<'_>, jails: &str) -> Outcome {
    let rules = format!(
        "flush ruleset
         table inet jaula {{
             set jails {{ type ifname; elements = {{ {jails} }}; }}
             set limited4 {{ type ipv4_addr . inet_service; }}
             chain output {{ type filter hook output priority 7; policy accept; }}
             chain old {{ ip saddr @masked masquerade; }}
             set masked {{ type ipv4_addr; }}
         }}
         table netdev jaula {{ set from4 {{ type ipv4_addr; }}; chain guard {{ accept; }}; }}"
    );
    host(cable, &["sh", "-c", "echo \"$1\" | nft -f -", "sh", &rules])?.ok().map(drop)
}

fn chains(cable: &Cable<'_>) -> Outcome<String> {
    Ok(host(cable, &["nft", "list", "ruleset"])?
        .ok()?
        .lines()
        .filter(|line| line.contains("chain"))
        .collect())
}

/// A jail with a forward, and the name that it has in the table.
fn jail(cable: &Cable<'_>) -> Outcome<String> {
    let keys = ["network.addresses=[\"10.90.0.2\"]", "network.forward=[\"tcp 8080 -> 80\"]"];
    start(&cable.jaula(), "www", &keys, ANSWER)?;
    let links = host(cable, &["ip", "-br", "link"])?.ok()?;
    let link = links.lines().find_map(|line| line.strip_prefix('j')?.split('@').next());
    Ok(format!("j{}", link.ok_or("no link")?))
}

const IDLE: &str = "import time; time.sleep(600)";

fn the_table_of_another_version_is_made_anew(t: &Test) -> Outcome {
    let cable = lay(t)?;
    let link = jail(&cable)?;
    let before = chains(&cable)?;
    other(&cable, &link)?;
    start(&cable.jaula(), "two", &["network.addresses=[\"10.90.0.3\"]"], IDLE)?;
    // Both have all that they had, and nothing is left of the other version's.
    assert_eq!(cable.client(&["python3", "-c", HEAR, HOST, "8080"])?.ok()?, format!("{CLIENT}\n"));
    cable.jaula().ok(&["stop", "two"])?;
    assert_eq!(chains(&cable)?, before);
    cable.jaula().ok(&["stop", "www"])?;
    assert_eq!(host(&cable, &["nft", "list", "tables"])?.ok()?, "");
    Ok(())
}

fn gc_makes_the_table_of_another_version_anew(t: &Test) -> Outcome {
    let cable = lay(t)?;
    let link = jail(&cable)?;
    let before = chains(&cable)?;
    other(&cable, &link)?;
    let said = cable.jaula().ok(&["gc"])?;
    assert!(said.contains("www"), "{said}");
    assert_eq!(chains(&cable)?, before);
    cable.jaula().ok(&["stop", "www"])?;
    Ok(())
}

fn what_other_houses_have_in_it_is_not_lost(t: &Test) -> Outcome {
    let cable = lay(t)?;
    let link = jail(&cable)?;
    other(&cable, &format!("{link}, j999-0badcafe"))?;
    let before = host(&cable, &["nft", "list", "ruleset"])?.ok()?;
    let create = ["create", "two", "--root", "host", "--network", "routed", "--ip", "10.90.0.3"];
    cable.jaula().ok(&[&create[..], &["--", "sleep", "600"]].concat())?;
    let refused = cable.jaula().run(&["start", "two"])?;
    assert!(!refused.status.success(), "{refused}");
    for part in ["another JAULA_ROOT", "behind j999-0badcafe\n", "help: ", "nft delete table inet jaula"] {
        assert!(refused.stderr.contains(part), "{refused}");
    }
    assert_eq!(host(&cable, &["nft", "list", "ruleset"])?.ok()?, before);
    // As the help says.
    host(&cable, &["sh", "-c", "nft delete table inet jaula; nft delete table netdev jaula"])?.ok()?;
    cable.jaula().ok(&["gc"])?;
    cable.jaula().ok(&["start", "two"])?;
    cable.jaula().ok(&["stop", "two", "www"])?;
    assert_eq!(host(&cable, &["nft", "list", "tables"])?.ok()?, "");
    Ok(())
}
