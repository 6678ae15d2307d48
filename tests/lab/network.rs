//! Networks on a host whose kernel, udev and systemd-networkd are those that a Debian has.

use crate::bind::every_other_address_is_refused;
use crate::firewall::a_forward_reaches_the_jail_from_outside_and_from_the_host;
use crate::firewall::guard::a_bridged_jail_sends_in_its_own_name_only;
use crate::links::routed_jails_are_reached_from_everywhere;
use jaula_tests::trials;
use libtest_mimic::Trial;

pub(super) fn trials() -> Vec<Trial> {
    trials!("lab": lab [
        every_other_address_is_refused,
        routed_jails_are_reached_from_everywhere,
        a_forward_reaches_the_jail_from_outside_and_from_the_host,
        a_bridged_jail_sends_in_its_own_name_only,
    ])
}
