//! The system calls that a trace looks at: what each tells, and where its arguments are.

use crate::seccomp::Call;

/// A call that a trace looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Its name.
    pub name: &'static str,
    /// What it tells.
    pub tells: Tells,
}

/// What a call tells. Numbers are those of arguments, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tells {
    /// Paths, and what becomes of them.
    Paths(&'static [Named]),
    /// A path that is opened, with `O_…` in an argument.
    Open(At, u8),
    /// The same with `O_…` in the first word of a structure (openat2(2)).
    OpenHow(At, u8),
    /// A program that is executed.
    Execute(At),
    /// The directory with this descriptor is listed.
    List(u8),
    /// The file with this descriptor is mapped so that its code can run.
    Map(u8),
    /// A socket, and its address: pointer and length.
    Bind,
    /// A socket waits for connections.
    Listen,
    /// A socket, and whom it talks to: pointer and length.
    Connect,
    /// The same, with the address in the arguments from 4 on; there may be none.
    SendTo,
    /// The same, with the address in a `struct msghdr`.
    SendMessage,
    /// The same, with so many of them in an array.
    SendMessages,
    /// These arguments are users that the process becomes; -1 is none.
    Users(&'static [u8]),
    /// The same for groups.
    Groups(&'static [u8]),
    /// The number of groups, and where they are.
    GroupList,
}

/// A path among the arguments of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// The descriptor of the directory that it begins in; without one it is the current one.
    pub directory: Option<u8>,
    /// The path.
    pub path: u8,
}

/// A path and what a call does to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// Where it is.
    pub at: At,
    /// What is done to it.
    pub done: Done,
}

/// What is done to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It is looked at.
    Look,
    /// Its content, mode, owner or times are changed.
    Change,
    /// It is made or removed.
    Make,
    /// It becomes the root directory (chroot(2)).
    Root,
}

const fn here(path: u8) -> At {
    At { directory: None, path }
}

const fn at(directory: u8, path: u8) -> At {
    At { directory: Some(directory), path }
}

macro_rules! paths {
    ($($done:ident $at:expr),+) => { Tells::Paths(&[$(Named { at: $at, done: Done::$done }),+]) };
}

macro_rules! watched {
    ($($name:literal => $tells:expr;)*) => {
        /// All of them. Whatever a program does with files goes through one of these: descriptors
        /// come from opening.
        pub static WATCHED: &[Watched] = &[$(Watched { name: $name, tells: $tells }),*];
    };
}

watched! {
    "open" => Tells::Open(here(0), 1);
    "openat" => Tells::Open(at(0, 1), 2);
    "openat2" => Tells::OpenHow(at(0, 1), 2);
    "creat" => paths!(Make here(0), Change here(0));
    "execve" => Tells::Execute(here(0));
    "execveat" => Tells::Execute(at(0, 1));
    "getdents" => Tells::List(0);
    "getdents64" => Tells::List(0);
    "mmap" => Tells::Map(4);

    "stat" => paths!(Look here(0));
    "lstat" => paths!(Look here(0));
    "newfstatat" => paths!(Look at(0, 1));
    "statx" => paths!(Look at(0, 1));
    "access" => paths!(Look here(0));
    "faccessat" => paths!(Look at(0, 1));
    "faccessat2" => paths!(Look at(0, 1));
    "readlink" => paths!(Look here(0));
    "readlinkat" => paths!(Look at(0, 1));
    "chdir" => paths!(Look here(0));
    "statfs" => paths!(Look here(0));
    "getxattr" => paths!(Look here(0));
    "lgetxattr" => paths!(Look here(0));
    "getxattrat" => paths!(Look at(0, 1));
    "listxattr" => paths!(Look here(0));
    "llistxattr" => paths!(Look here(0));
    "listxattrat" => paths!(Look at(0, 1));
    "inotify_add_watch" => paths!(Look here(1));
    "name_to_handle_at" => paths!(Look at(0, 1));
    "chroot" => paths!(Root here(0));

    "chmod" => paths!(Change here(0));
    "fchmodat" => paths!(Change at(0, 1));
    "fchmodat2" => paths!(Change at(0, 1));
    "chown" => paths!(Change here(0));
    "lchown" => paths!(Change here(0));
    "fchownat" => paths!(Change at(0, 1));
    "truncate" => paths!(Change here(0));
    "utime" => paths!(Change here(0));
    "utimes" => paths!(Change here(0));
    "futimesat" => paths!(Change at(0, 1));
    "utimensat" => paths!(Change at(0, 1));
    "setxattr" => paths!(Change here(0));
    "lsetxattr" => paths!(Change here(0));
    "setxattrat" => paths!(Change at(0, 1));
    "removexattr" => paths!(Change here(0));
    "lremovexattr" => paths!(Change here(0));
    "removexattrat" => paths!(Change at(0, 1));

    "mkdir" => paths!(Make here(0));
    "mkdirat" => paths!(Make at(0, 1));
    "mknod" => paths!(Make here(0));
    "mknodat" => paths!(Make at(0, 1));
    "rmdir" => paths!(Make here(0));
    "unlink" => paths!(Make here(0));
    "unlinkat" => paths!(Make at(0, 1));
    "symlink" => paths!(Make here(1));
    "symlinkat" => paths!(Make at(1, 2));
    "link" => paths!(Look here(0), Make here(1));
    "linkat" => paths!(Look at(0, 1), Make at(2, 3));
    "rename" => paths!(Make here(0), Make here(1));
    "renameat" => paths!(Make at(0, 1), Make at(2, 3));
    "renameat2" => paths!(Make at(0, 1), Make at(2, 3));

    "bind" => Tells::Bind;
    "listen" => Tells::Listen;
    "connect" => Tells::Connect;
    "sendto" => Tells::SendTo;
    "sendmsg" => Tells::SendMessage;
    "sendmmsg" => Tells::SendMessages;

    "setuid" => Tells::Users(&[0]);
    "setreuid" => Tells::Users(&[0, 1]);
    "setresuid" => Tells::Users(&[0, 1, 2]);
    "setfsuid" => Tells::Users(&[0]);
    "setgid" => Tells::Groups(&[0]);
    "setregid" => Tells::Groups(&[0, 1]);
    "setresgid" => Tells::Groups(&[0, 1, 2]);
    "setfsgid" => Tells::Groups(&[0]);
    "setgroups" => Tells::GroupList;
}

impl Watched {
    /// The call itself.
    pub fn call(&self) -> Option<Call> {
        Call::from_name(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_a_call_and_stands_once() {
        let mut seen = std::collections::BTreeSet::new();
        for watched in WATCHED {
            assert!(watched.call().is_some(), "{}", watched.name);
            assert!(seen.insert(watched.name), "{} stands twice", watched.name);
        }
    }
}
