//! The table of names and numbers.

use super::{ABIS, libseccomp};
use model::seccomp::{Abi, Call};

/// Calls that Debian 12's libseccomp (2.5.4) has not heard of: Linux 6.8 and later. All but the
/// first two, which only x86-64 has, have one number everywhere.
const NEWER: [&str; 15] = [
    "uprobe",
    "uretprobe",
    "file_getattr",
    "file_setattr",
    "getxattrat",
    "listmount",
    "listxattrat",
    "lsm_get_self_attr",
    "lsm_list_modules",
    "lsm_set_self_attr",
    "mseal",
    "open_tree_attr",
    "removexattrat",
    "setxattrat",
    "statmount",
];

#[test]
fn names_are_sorted_and_found() {
    let names: Vec<_> = Call::all().map(Call::name).collect();
    assert!(names.is_sorted_by(|a, b| a < b));
    for call in Call::all() {
        assert_eq!(Call::from_name(call.name()), Some(call));
        for (abi, number) in ABIS.into_iter().filter_map(|abi| Some((abi, call.number(abi)?))) {
            assert_eq!(Call::from_number(abi, number), Some(call), "{} on {abi:?}", call.name());
        }
    }
    assert_eq!(Call::from_name("no_such_call"), None);
    assert_eq!(Call::from_number(Abi::X86_64, u32::MAX), None);
}

#[test]
fn the_newest_calls_have_one_number_everywhere() {
    for (name, number) in [("set_mempolicy_home_node", 450), ("mseal", 462), ("file_setattr", 469)] {
        let call = Call::from_name(name).unwrap();
        assert!(ABIS.iter().all(|abi| call.number(*abi) == Some(number)), "{name}");
    }
    for call in Call::all().filter(|call| call.number(Abi::X86_64).is_some_and(|n| n >= 424)) {
        let numbers: Vec<_> = ABIS.iter().filter_map(|abi| call.number(*abi)).collect();
        assert!(numbers.windows(2).all(|n| n[0] == n[1]), "{}: {numbers:?}", call.name());
    }
}

#[test]
fn numbers_are_libseccomps() {
    let mut compared = 0;
    for abi in ABIS {
        let names: Vec<_> = Call::all().map(Call::name).collect();
        for (name, theirs) in names.iter().zip(libseccomp::numbers(abi, &names)) {
            // They have only its older name, `arm_sync_file_range`.
            if (*name, abi) == ("sync_file_range2", Abi::Arm) {
                continue;
            }
            let ours = Call::from_name(name).unwrap().number(abi);
            match theirs {
                libseccomp::Number::UnknownName => assert!(NEWER.contains(name), "{name} on {abi:?}"),
                libseccomp::Number::NotHere => assert_eq!(ours, None, "{name} on {abi:?}"),
                libseccomp::Number::Is(number) => assert_eq!(ours, Some(number), "{name} on {abi:?}"),
            }
            compared += usize::from(theirs != libseccomp::Number::UnknownName);
        }
    }
    assert!(compared > 1800, "only {compared} names compared");
}
