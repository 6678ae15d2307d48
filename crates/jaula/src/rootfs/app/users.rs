//! `/etc/passwd` and `/etc/group` of an app jail: root, nobody and the users of the service,
//! with their groups, taken from the host's files (passwd(5), group(5)).
//!
//! The host's files are foreign data: a line that does not parse is left out, as the C library
//! leaves it out, and no password field is ever copied.

use std::collections::BTreeSet;
use std::fmt::Write;

/// One line of passwd(5), without its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Id of the primary group.
    pub gid: u32,
    /// Full name and such.
    pub gecos: String,
    /// Home directory.
    pub home: String,
    /// Login shell.
    pub shell: String,
}

/// One line of group(5), without its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Group id.
    pub gid: u32,
    /// Names of the users that have it beside their primary group.
    pub members: Vec<String>,
}

/// The two files of a jail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// `/etc/passwd`
    pub passwd: String,
    /// `/etc/group`
    pub group: String,
}

/// The users of a passwd(5) file.
pub fn parse_passwd(file: &[u8]) -> Vec<User> {
    fields(file)
        .filter_map(|f| match f.as_slice() {
            [name, _, uid, gid, gecos, home, shell] => Some(User {
                name: name.clone(),
                uid: uid.parse().ok()?,
                gid: gid.parse().ok()?,
                gecos: gecos.clone(),
                home: home.clone(),
                shell: shell.clone(),
            }),
            _ => None,
        })
        .collect()
}

/// The groups of a group(5) file.
pub fn parse_group(file: &[u8]) -> Vec<Group> {
    fields(file)
        .filter_map(|f| match f.as_slice() {
            [name, _, gid, members] => Some(Group {
                name: name.clone(),
                gid: gid.parse().ok()?,
                members: members.split(',').filter(|m| !m.is_empty()).map(str::to_owned).collect(),
            }),
            _ => None,
        })
        .collect()
}

/// The lines that name somebody, split. Comments and the `+` and `-` of NIS name nobody; a
/// control character stands in no sound line.
fn fields(file: &[u8]) -> impl Iterator<Item = Vec<String>> {
    file.split(|b| *b == b'\n')
        .filter(|line| !matches!(line.first(), None | Some(b'#' | b'+' | b'-' | b':')))
        .filter(|line| !line.iter().any(u8::is_ascii_control))
        .map(|line| String::from_utf8_lossy(line).split(':').map(str::to_owned).collect())
}

/// The jail's files for these users: each a `user`, a `user:group`, or numbers, as
/// `boot.user` has them. A number needs no name on the host.
///
/// # Errors
/// The names that the host's files do not have, all of them.
pub fn select(users: &[User], groups: &[Group], wanted: &[String]) -> Result<Names, Vec<String>> {
    let number = |text: &str| text.parse::<u32>().ok();
    let mut chosen = vec![
        users.iter().find(|u| u.name == "root").cloned().unwrap_or_else(root),
        users.iter().find(|u| u.name == "nobody").cloned().unwrap_or_else(nobody),
    ];
    let mut group_ids = BTreeSet::new();
    let mut unknown = Vec::new();
    for wanted in wanted {
        let (user, group) = wanted.split_once(':').map_or((wanted.as_str(), None), |(u, g)| (u, Some(g)));
        match users.iter().find(|u| u.name == user || Some(u.uid) == number(user)) {
            Some(found) if chosen.iter().all(|u| u.name != found.name) => chosen.push(found.clone()),
            None if number(user).is_none() => unknown.push(user.to_owned()),
            _ => {}
        }
        let Some(group) = group else { continue };
        match groups.iter().find(|g| g.name == group || Some(g.gid) == number(group)) {
            Some(found) => drop(group_ids.insert(found.gid)),
            None if number(group).is_none() => unknown.push(format!(":{group}")),
            None => {}
        }
    }
    if !unknown.is_empty() {
        return Err(unknown);
    }
    group_ids.extend(chosen.iter().map(|u| u.gid));
    let is_chosen = |member: &String| chosen.iter().any(|u| u.name == *member);
    let mut chosen_groups: Vec<Group> = groups
        .iter()
        .filter(|g| group_ids.contains(&g.gid) || g.members.iter().any(is_chosen))
        .map(|g| Group { members: g.members.iter().filter(|m| is_chosen(m)).cloned().collect(), ..g.clone() })
        .collect();
    for user in &chosen[..2] {
        if chosen_groups.iter().all(|g| g.gid != user.gid) {
            let name = if user.gid == 0 { "root" } else { "nogroup" };
            chosen_groups.push(Group { name: name.to_owned(), gid: user.gid, members: Vec::new() });
        }
    }
    chosen[2..].sort_by_key(|u| u.uid);
    chosen_groups.sort_by_key(|g| g.gid);
    Ok(Names { passwd: passwd(&chosen), group: group(&chosen_groups) })
}

fn passwd(users: &[User]) -> String {
    users.iter().fold(String::new(), |mut file, User { name, uid, gid, gecos, home, shell }| {
        let _ = writeln!(file, "{name}:x:{uid}:{gid}:{gecos}:{home}:{shell}");
        file
    })
}

fn group(groups: &[Group]) -> String {
    groups.iter().fold(String::new(), |mut file, Group { name, gid, members }| {
        let _ = writeln!(file, "{name}:x:{gid}:{}", members.join(","));
        file
    })
}

/// root on a host whose files do not name it.
fn root() -> User {
    let [name, gecos, home, shell] = ["root", "root", "/root", "/bin/sh"].map(str::to_owned);
    User { name, uid: 0, gid: 0, gecos, home, shell }
}

/// nobody on a host whose files do not name it: the kernel's overflow id.
fn nobody() -> User {
    let [name, gecos, home, shell] =
        ["nobody", "nobody", "/nonexistent", "/usr/sbin/nologin"].map(str::to_owned);
    User { name, uid: 65534, gid: 65534, gecos, home, shell }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &[u8] = b"root:$6$secret:0:0:root:/root:/bin/bash\n\
        # comment\n+::::::\nshort:x:1\nbad:x:one:1:::\n\
        www-data:x:33:33:www:/var/www:/usr/sbin/nologin\nalice:x:1000:1000:Alice \xe9,,,:/home/alice:/bin/sh\n\
        evil\x01:x:5:5:::\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin";
    const GROUP: &[u8] = b"root:x:0:\nwww-data:x:33:\nssl-cert:x:106:www-data,alice\nalice:x:1000:\n\
        games:x:60:\nadm:*:4:alice\nnogroup:x:65534:\nbroken:x\n";

    fn names(wanted: &[&str]) -> Result<Names, Vec<String>> {
        let wanted: Vec<String> = wanted.iter().map(|w| (*w).to_owned()).collect();
        select(&parse_passwd(PASSWD), &parse_group(GROUP), &wanted)
    }

    #[test]
    fn a_service_sees_its_users_only() {
        let names = names(&["www-data"]).unwrap();
        assert_eq!(
            names.passwd,
            "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n\
             www-data:x:33:33:www:/var/www:/usr/sbin/nologin\n"
        );
        assert_eq!(names.group, "root:x:0:\nwww-data:x:33:\nssl-cert:x:106:www-data\nnogroup:x:65534:\n");
    }

    #[test]
    fn users_as_boot_user_has_them() {
        assert!(names(&["1000"]).unwrap().passwd.contains("alice:x:1000:1000:Alice \u{fffd},,,:/home/alice"));
        assert!(names(&["alice:games"]).unwrap().group.contains("games:x:60:\n"));
        assert_eq!(names(&["4711:4711"]), names(&[]));
        assert_eq!(
            names(&["mallory", "www-data:nosuch", "evil"]),
            Err(vec!["mallory".to_owned(), ":nosuch".to_owned(), "evil".to_owned()])
        );
    }

    #[test]
    fn a_host_without_names() {
        let names = select(&[], &[], &[]).unwrap();
        assert!(names.passwd.starts_with("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:"));
        assert_eq!(names.group, "root:x:0:\nnogroup:x:65534:\n");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes(passwd: Vec<u8>, group: Vec<u8>) {
            let (users, groups) = (parse_passwd(&passwd), parse_group(&group));
            let all: Vec<String> = users.iter().map(|u| u.name.clone()).collect();
            let names = select(&users, &groups, &all);
            if let Ok(names) = names {
                let lines = names.passwd.lines().all(|l| l.split(':').count() == 7);
                proptest::prop_assert!(lines);
            }
        }
    }
}
