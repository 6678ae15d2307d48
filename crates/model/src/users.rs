//! Users and groups of a jail, from the text of its `passwd` and `group` files (passwd(5), group(5)).

use std::path::PathBuf;

/// Who a process inside is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its user id.
    pub user: u32,
    /// Its group id.
    pub group: u32,
    /// Its other groups.
    pub groups: Vec<u32>,
    /// The user's name, if it has one.
    pub name: String,
    /// Its home directory.
    pub home: PathBuf,
    /// Its login shell.
    pub shell: PathBuf,
}

/// Why there is no such user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoUser {
    /// No line of that name.
    #[error("the jail has no user {0:?}")]
    User(String),
    /// No line of that name.
    #[error("the jail has no group {0:?}")]
    Group(String),
}

struct Line<'a> {
    name: &'a str,
    user: u32,
    group: u32,
    home: &'a str,
    shell: &'a str,
}

fn users(passwd: &str) -> impl Iterator<Item = Line<'_>> {
    passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (name, _, user, group) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let (home, shell) = (fields.nth(1).unwrap_or("/"), fields.next().unwrap_or(""));
        Some(Line { name, user: user.parse().ok()?, group: group.parse().ok()?, home, shell })
    })
}

fn groups(group: &str) -> impl Iterator<Item = (&str, u32, &str)> {
    group.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (name, _, id) = (fields.next()?, fields.next()?, fields.next()?);
        Some((name, id.parse().ok()?, fields.next().unwrap_or("")))
    })
}

impl Identity {
    /// The administrator inside; every root has one, whatever its files say.
    pub fn root() -> Self {
        Self {
            user: 0,
            group: 0,
            groups: Vec::new(),
            name: "root".to_owned(),
            home: "/root".into(),
            shell: "/bin/sh".into(),
        }
    }

    /// Who `user`, `user:group` or numbers of them are. A number needs no line; with one, it
    /// has its home and groups.
    pub fn find(wanted: &str, passwd: &str, group: &str) -> Result<Self, NoUser> {
        let (user, given_group) = wanted.split_once(':').map_or((wanted, None), |(u, g)| (u, Some(g)));
        let number: Option<u32> = user.parse().ok();
        let line = users(passwd).find(|l| l.name == user || Some(l.user) == number);
        let mut found = match (line, number) {
            (Some(line), _) => Self {
                user: line.user,
                group: line.group,
                groups: groups(group)
                    .filter(|(_, id, members)| {
                        *id != line.group && members.split(',').any(|m| m == line.name)
                    })
                    .map(|(_, id, _)| id)
                    .collect(),
                name: line.name.to_owned(),
                home: if line.home.starts_with('/') { line.home.into() } else { "/".into() },
                shell: if line.shell.starts_with('/') { line.shell.into() } else { "/bin/sh".into() },
            },
            (None, Some(0)) => Self::root(),
            (None, Some(number)) => Self {
                user: number,
                group: number,
                name: number.to_string(),
                home: "/".into(),
                ..Self::root()
            },
            (None, None) if user == "root" => Self::root(),
            (None, None) => return Err(NoUser::User(user.to_owned())),
        };
        if let Some(wanted) = given_group {
            let number: Option<u32> = wanted.parse().ok();
            let line = groups(group).find(|(name, id, _)| *name == wanted || Some(*id) == number);
            found.group = line.map(|l| l.1).or(number).ok_or_else(|| NoUser::Group(wanted.to_owned()))?;
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nnonsense\nwww:x:33:33:www:/var/www:/usr/sbin/nologin\n\
                          x:x:99999999999:1::/:\nbad:x:40:40::relative:\n";
    const GROUP: &str = "root:x:0:\nwww:x:33:\nssl:x:110:db,www\nadm:x:4:www\n";

    #[test]
    fn found() {
        let www = Identity::find("www", PASSWD, GROUP).unwrap();
        assert_eq!((www.user, www.group, www.groups, www.home), (33, 33, vec![110, 4], "/var/www".into()));
        assert_eq!(Identity::find("33:adm", PASSWD, GROUP).unwrap().group, 4);
        assert_eq!(Identity::find("1234", PASSWD, GROUP).unwrap().group, 1234);
        assert_eq!(Identity::find("root", "", "").unwrap(), Identity::root());
        assert_eq!(Identity::find("bad", PASSWD, "").unwrap().home, PathBuf::from("/"));
        assert_eq!(Identity::find("nobody", PASSWD, GROUP), Err(NoUser::User("nobody".into())));
        assert_eq!(Identity::find("www:none", PASSWD, GROUP), Err(NoUser::Group("none".into())));
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(wanted: String, passwd: String, group: String) {
            let _ = Identity::find(&wanted, &passwd, &group);
        }
    }
}
