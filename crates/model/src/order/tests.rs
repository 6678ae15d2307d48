use super::*;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// `www 10 db cache`: a jail, its number or `-`, what it depends on.
fn places(lines: &[&str]) -> Vec<Place> {
    let place = |line: &&str| {
        let mut words = line.split(' ');
        let (jail, number) = (words.next().unwrap(), words.next().unwrap_or("-"));
        Place { name: name(jail), order: number.parse().ok(), depends: words.map(name).collect() }
    };
    lines.iter().map(place).collect()
}

fn ordered(lines: &[&str], wanted: &[&str]) -> (Vec<String>, Vec<String>) {
    let wanted: Vec<Name> = wanted.iter().map(|jail| name(jail)).collect();
    let order = order(&wanted, &places(lines));
    let jails = order.jails.iter().map(|place| place.name.to_string()).collect();
    (jails, order.without.iter().map(|(jail, why)| format!("{jail}: {why}")).collect())
}

#[test]
fn dependencies_come_first_then_numbers_then_names() {
    for (lines, wanted, jails) in [
        (&["b", "a", "c 5"][..], &["a", "b", "c"][..], &["c", "a", "b"][..]),
        (&["www 1 db", "db 9"], &["www"], &["db", "www"]),
        (&["www 1 db", "db 9", "x 5"], &["www", "x"], &["x", "db", "www"]),
        (&["a - b c", "b - d", "c - d", "d"], &["a"], &["d", "b", "c", "a"]),
        (&["a", "b"], &["b"], &["b"]),
        (&["a 0", "b 65535", "c"], &["c", "b", "a"], &["a", "b", "c"]),
        (&[], &[], &[]),
        (&["a"], &["gone"], &[]),
    ] {
        assert_eq!(ordered(lines, wanted).0, jails, "{lines:?}");
    }
}

#[test]
fn who_can_never_start_is_told_why() {
    for (lines, jails, without) in [
        (&["a - a"][..], &[][..], &["a: jails depend on each other in a circle: \"a\" → \"a\""][..]),
        (
            &["a - b", "b - c", "c - b", "d"],
            &["d"],
            &[
                "a: jail \"a\" depends on \"b\", which cannot start",
                "b: jails depend on each other in a circle: \"b\" → \"c\" → \"b\"",
                "c: jails depend on each other in a circle: \"b\" → \"c\" → \"b\"",
            ],
        ),
        (
            &["a - gone", "b - a", "c - b"],
            &[],
            &[
                "a: jail \"a\" depends on \"gone\", and there is no such jail",
                "b: jail \"b\" depends on \"a\", which cannot start",
                "c: jail \"c\" depends on \"b\", which cannot start",
            ],
        ),
    ] {
        let all: Vec<&str> = lines.iter().map(|line| line.split(' ').next().unwrap()).collect();
        assert_eq!(
            ordered(lines, &all),
            (jails.iter().map(ToString::to_string).collect(), {
                without.iter().map(ToString::to_string).collect::<Vec<_>>()
            })
        );
    }
    let why = order(&[name("a")], &places(&["a - b", "b - a"])).without.remove(0).1;
    assert_eq!(why.help(), "one of them must be first, for example: jaula set b boot.depends-=a");
}

#[test]
fn it_is_printed_one_jail_a_line() {
    let order = order(&[name("www")], &places(&["www 1 db cache", "db 9", "cache"]));
    assert_eq!(order.to_string(), "  1  db (order 9)\n  2  cache\n  3  www (order 1) after db, cache\n");
}

proptest::proptest! {
    #[test]
    fn everybody_has_a_place_or_a_reason(
        graph in proptest::collection::vec((proptest::option::of(0u16..3), proptest::collection::vec(0usize..14, 0..4)), 0..12),
    ) {
        let jail = |n: usize| name(&format!("j{n}"));
        let known: Vec<Place> = graph.iter().enumerate().map(|(n, (order, depends))| {
            Place { name: jail(n), order: *order, depends: depends.iter().map(|n| jail(*n)).collect() }
        }).collect();
        let all: Vec<Name> = known.iter().map(|place| place.name.clone()).collect();
        let made = order(&all, &known);
        proptest::prop_assert_eq!(made.jails.len() + made.without.len(), known.len());
        for (at, place) in made.jails.iter().enumerate() {
            let before: Vec<&Name> = made.jails[..at].iter().map(|place| &place.name).collect();
            proptest::prop_assert!(place.depends.iter().all(|on| before.contains(&on)));
        }
        for (jail, why) in &made.without {
            let place = known.iter().find(|place| &place.name == jail).unwrap();
            let fits = match why {
                NoPlace::Unknown { missing, .. } => place.depends.contains(missing) && !all.contains(missing),
                NoPlace::Behind { on, .. } => {
                    place.depends.contains(on) && made.without.iter().any(|(other, _)| other == on)
                }
                NoPlace::Circle(circle) => circle.contains(jail) && circle.iter().enumerate().all(|(at, one)| {
                    let next = &circle[(at + 1) % circle.len()];
                    known.iter().any(|place| &place.name == one && place.depends.contains(next))
                }),
            };
            proptest::prop_assert!(fits, "{why:?}");
        }
    }
}
