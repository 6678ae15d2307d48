//! What is never put into a jail unless somebody names it: what not everybody on the host may
//! read, what conventions say is a key or a password, homes, and what belongs to the kernel.
//!
//! A name is enough even where the file's mode says that everybody may read it: modes are set
//! wrongly more often than names. Below `/usr` only the mode counts, for there lies what packages
//! bring, which is public, and modules that are called `secrets.py` and `token.h`.

use super::host::{Found, Host, Key, Kind};
use std::path::Path;

/// Directories all of which is secret.
const BELOW: &[(&str, &str)] = &[
    ("/boot", "of the host's kernel"),
    ("/lib/modules", "of the host's kernel"),
    ("/usr/lib/modules", "of the host's kernel"),
    ("/dev", "a device of the host"),
    ("/proc", "of the host's processes"),
    ("/sys", "of the host's devices"),
    ("/run/secrets", "a secret of the host's services"),
    ("/run/credentials", "a secret of the host's services"),
    ("/var/run/secrets", "a secret of the host's services"),
    ("/etc/credstore", "a secret of the host's services"),
    ("/etc/credstore.encrypted", "a secret of the host's services"),
    ("/etc/jaula", "of jaula itself"),
    ("/var/lib/jaula", "of jaula itself"),
    ("/tmp", "in /tmp, of which a jail has its own"),
    ("/etc/ssl/private", "a private key"),
    ("/etc/pki/tls/private", "a private key"),
    ("/etc/letsencrypt", "private keys and accounts"),
    ("/etc/wireguard", "private keys"),
    ("/etc/kubernetes", "keys of a cluster"),
    ("/var/lib/kubelet", "keys of a cluster"),
    ("/etc/rancher", "keys of a cluster"),
    ("/var/lib/docker", "other containers"),
    ("/var/lib/containers", "other containers"),
    ("/etc/NetworkManager/system-connections", "passwords of networks"),
    ("/etc/wpa_supplicant", "passwords of networks"),
    ("/var/lib/iwd", "passwords of networks"),
    ("/etc/sudoers.d", "who may become root"),
    ("/var/spool/cron", "other users' data"),
    ("/var/mail", "other users' data"),
    ("/var/spool/mail", "other users' data"),
    ("/var/backups", "copies of secrets"),
    ("/var/lib/systemd/random-seed", "the host's random numbers"),
    ("/lost+found", "lost data of any user"),
];

/// Directories by name, wherever they stand.
const DIRECTORIES: &[(&str, &str)] = &[
    (".ssh", "keys for other machines"),
    (".gnupg", "private keys"),
    ("private-keys-v1.d", "private keys"),
    ("private", "private, its name says"),
    (".aws", "a login to other machines"),
    (".azure", "a login to other machines"),
    (".gcloud", "a login to other machines"),
    (".kube", "a login to other machines"),
    (".docker", "a login to other machines"),
    (".password-store", "passwords"),
    (".mozilla", "passwords"),
    (".pki", "private keys"),
    (".git", "somebody's work, with its history"),
];

/// Files by name, wherever they stand; one `*` stands for anything.
const NAMES: &[(&str, &str)] = &[
    ("shadow", "passwords"),
    ("shadow-", "passwords"),
    ("gshadow", "passwords"),
    ("gshadow-", "passwords"),
    ("opasswd", "passwords"),
    ("master.passwd", "passwords"),
    ("spwd.db", "passwords"),
    ("smbpasswd", "passwords"),
    ("passdb.tdb", "passwords"),
    ("sasldb2", "passwords"),
    ("pap-secrets", "passwords"),
    ("chap-secrets", "passwords"),
    ("ipsec.secrets", "passwords"),
    ("debian.cnf", "a password of a database"),
    (".htpasswd", "passwords"),
    (".htdigest", "passwords"),
    ("*.htpasswd", "passwords"),
    (".netrc", "a login to other machines"),
    ("_netrc", "a login to other machines"),
    (".pgpass", "a password of a database"),
    (".my.cnf", "a password of a database"),
    (".mylogin.cnf", "a password of a database"),
    (".rediscli_auth", "a password of a database"),
    (".git-credentials", "a login to other machines"),
    (".npmrc", "a login to other machines"),
    (".pypirc", "a login to other machines"),
    (".s3cfg", "a login to other machines"),
    (".boto", "a login to other machines"),
    (".vault-token", "a login to other machines"),
    (".rhosts", "who may log in"),
    (".Xauthority", "a login to somebody's screen"),
    (".ICEauthority", "a login to somebody's screen"),
    (".env", "passwords of a service"),
    (".env.*", "passwords of a service"),
    ("sudoers", "who may become root"),
    ("*_history", "what somebody has typed"),
    (".history", "what somebody has typed"),
    (".viminfo", "what somebody has typed"),
    (".lesshst", "what somebody has typed"),
    ("ssh_host_*_key", "a private key"),
    ("id_rsa*", "a private key"),
    ("id_dsa*", "a private key"),
    ("id_ecdsa*", "a private key"),
    ("id_ed25519*", "a private key"),
    ("privkey*.pem", "a private key"),
    ("*.keytab", "a private key"),
    ("*.p12", "a private key"),
    ("*.pfx", "a private key"),
    ("*.jks", "a private key"),
    ("*.keystore", "a private key"),
    ("*.ppk", "a private key"),
    ("*.kdbx", "passwords"),
    ("*.ovpn", "a private key"),
    ("secring.*", "a private key"),
    ("vmlinuz*", "of the host's kernel"),
    ("initrd*", "of the host's kernel"),
    ("System.map*", "of the host's kernel"),
    ("core", "the memory of a process"),
];

/// Words in the names of files that hold what they say.
const WORDS: &[(&str, &str)] = &[
    ("secret", "a secret, its name says"),
    ("password", "a password, its name says"),
    ("passwd", "passwords, its name says"),
    ("credential", "a login, its name says"),
    ("apikey", "a key, its name says"),
    ("api_key", "a key, its name says"),
    ("api-key", "a key, its name says"),
];

/// What has such a word in its name and holds none.
const PUBLIC: &[&str] = &["/etc/passwd", "/etc/passwd-", "/etc/pam.d", "/etc/alternatives"];

/// Why a path is secret, in words that follow "it is"; `None` if it is not.
pub fn secret(path: &Path, found: &Found, host: &Host) -> Option<String> {
    // Both where it is called so and where it leads to: a link changes nothing.
    let at = |path: &Path| by_place(path, host).or_else(|| by_name(path, found));
    let leads = Some(&found.real).filter(|real| *real != path);
    at(path).or_else(|| at(leads?)).or_else(|| by_content(path, found, host))
}

fn by_place(path: &Path, host: &Host) -> Option<String> {
    if let Some(user) = host.home_of(path) {
        return Some(format!("in the home of {user}"));
    }
    let (_, why) = BELOW.iter().find(|(top, _)| path.starts_with(top))?;
    Some((*why).to_owned())
}

fn by_name(path: &Path, found: &Found) -> Option<String> {
    if is_packaged(path) || PUBLIC.iter().any(|public| path.starts_with(public)) {
        return None;
    }
    let words = |why: &str| Some(why.to_owned());
    let mut components = path.iter().filter_map(|name| name.to_str());
    if let Some(why) = components.find_map(|c| DIRECTORIES.iter().find(|(name, _)| *name == c)) {
        return words(why.1);
    }
    let name = path.file_name()?.to_str()?;
    // `id_rsa.pub`, and a certificate that is called `server.key`
    if found.key == Key::Public || name.ends_with(".pub") {
        return None;
    }
    if let Some((_, why)) = NAMES.iter().find(|(pattern, _)| matches(pattern, name)) {
        return words(why);
    }
    if found.kind == Kind::Directory {
        return None;
    }
    if name.ends_with(".key") || name == "key.pem" || name.ends_with("-key.pem") || name.ends_with("_key.pem")
    {
        return words("a private key, its name says");
    }
    let lower = name.to_ascii_lowercase();
    // `api_token`, `tokens.json`, but not `tokenizer.ini`
    if lower.split(|c: char| !c.is_ascii_alphabetic()).any(|word| matches!(word, "token" | "tokens")) {
        return words("a token, its name says");
    }
    WORDS.iter().find(|(word, _)| lower.contains(word)).and_then(|(_, why)| words(why))
}

fn by_content(path: &Path, found: &Found, host: &Host) -> Option<String> {
    if found.key == Key::Private && !(is_packaged(path) && found.open) {
        return Some("a private key".to_owned());
    }
    if found.kind == Kind::Special {
        return Some("a device or pipe of the host".to_owned());
    }
    if found.open {
        return None;
    }
    let owner = host.user(found.owner).map_or_else(|| found.owner.to_string(), str::to_owned);
    Some(format!("readable by {owner} only"))
}

/// Does it lie where packages put what is the same on every host?
fn is_packaged(path: &Path) -> bool {
    let top = ["/usr", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin"];
    top.iter().any(|top| path.starts_with(top)) && !path.starts_with("/usr/local")
}

/// Is it a name of that pattern, with at most one `*`?
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => {
            name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
