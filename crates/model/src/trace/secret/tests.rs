//! Paths as they are on real hosts.

use super::*;
use crate::trace::host::User;

fn host() -> Host {
    let user = |name: &str, id, home: &str| User { name: name.to_owned(), id, home: home.into() };
    let users = vec![
        user("root", 0, "/root"),
        user("www-data", 33, "/var/www"),
        user("redis", 107, "/var/lib/redis"),
        user("alice", 1000, "/home/alice"),
    ];
    Host { users, ..Host::default() }
}

/// A file as careless as can be: everybody may read it.
fn file(path: &str) -> Found {
    Found { real: path.into(), kind: Kind::File, owner: 0, open: true, executable: false, key: Key::Unknown }
}

/// Each of these by its path alone, whatever its mode.
pub(crate) const SECRETS: &[&str] = &[
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/security/opasswd",
    "/etc/sudoers",
    "/etc/sudoers.d/90-cloud-init-users",
    "/etc/ssl/private/ssl-cert-snakeoil.key",
    "/etc/ssl/private/server.pem",
    "/etc/pki/tls/private/localhost.key",
    "/etc/letsencrypt/live/example.org/privkey.pem",
    "/etc/letsencrypt/accounts/acme-v02.api.letsencrypt.org/directory/x/private_key.json",
    "/etc/nginx/ssl/example.org.key",
    "/etc/nginx/.htpasswd",
    "/etc/apache2/site.htpasswd",
    "/etc/ssh/ssh_host_rsa_key",
    "/etc/ssh/ssh_host_ecdsa_key",
    "/etc/ssh/ssh_host_ed25519_key",
    "/etc/bind/rndc.key",
    "/etc/krb5.keytab",
    "/etc/mysql/debian.cnf",
    "/etc/ppp/chap-secrets",
    "/etc/ppp/pap-secrets",
    "/etc/ipsec.secrets",
    "/etc/wireguard/wg0.conf",
    "/etc/openvpn/client.ovpn",
    "/etc/openvpn/server.key",
    "/etc/sasldb2",
    "/etc/samba/smbpasswd",
    "/var/lib/samba/private/passdb.tdb",
    "/etc/NetworkManager/system-connections/home.nmconnection",
    "/etc/wpa_supplicant/wpa_supplicant.conf",
    "/etc/kubernetes/admin.conf",
    "/etc/rancher/k3s/k3s.yaml",
    "/var/lib/kubelet/pki/kubelet-client-current.pem",
    "/run/secrets/kubernetes.io/serviceaccount/token",
    "/var/run/secrets/kubernetes.io/serviceaccount/token",
    "/run/credentials/x.service/password",
    "/etc/myapp/credentials.json",
    "/etc/myapp/api_token",
    "/etc/myapp/db-password.txt",
    "/srv/app/.env",
    "/srv/app/.env.production",
    "/srv/app/config/secrets.yml",
    "/srv/app/.git/config",
    "/srv/keys/site.p12",
    "/srv/keys/site.pfx",
    "/opt/tomcat/conf/server.jks",
    "/opt/java/app.keystore",
    "/root/.bash_history",
    "/root/.ssh/id_ed25519",
    "/root/.my.cnf",
    "/root/anything",
    "/home/alice/.ssh/id_rsa",
    "/home/alice/.gnupg/private-keys-v1.d/x.key",
    "/home/alice/.aws/credentials",
    "/home/alice/.kube/config",
    "/home/alice/.netrc",
    "/home/alice/.python_history",
    "/home/alice/Documents/letter.txt",
    "/home/unknown/x",
    "/var/www/.ssh/id_rsa",
    "/var/lib/postgresql/.pgpass",
    "/var/lib/postgresql/.psql_history",
    "/var/www/.git-credentials",
    "/var/spool/cron/crontabs/root",
    "/var/mail/alice",
    "/var/backups/shadow.bak",
    "/var/lib/docker/containers/x/config.v2.json",
    "/var/lib/jaula/jails/db/overlay/upper/etc/x",
    "/boot/vmlinuz-6.1.0-13-amd64",
    "/boot/System.map-6.1.0-13-amd64",
    "/vmlinuz",
    "/initrd.img",
    "/lib/modules/6.1.0/kernel/x.ko",
    "/tmp/site.conf",
    "/dev/sda",
    "/dev/mem",
    "/dev/kvm",
    "/proc/kcore",
    "/proc/1/environ",
    "/sys/kernel/security/x",
    "/sys/firmware/efi/efivars/x",
];

/// What services need and everybody may read.
const HARMLESS: &[&str] = &[
    "/etc/passwd",
    "/etc/pam.d/passwd",
    "/etc/pam.d/common-password",
    "/etc/nginx/nginx.conf",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/openssl.cnf",
    "/etc/ssh/sshd_config",
    "/etc/ssh/ssh_host_rsa_key.pub",
    "/etc/bind/named.conf",
    "/etc/php/8.4/fpm/conf.d/20-tokenizer.ini",
    "/usr/share/dns/root.key",
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/usr/lib/python3.11/secrets.py",
    "/usr/lib/python3.11/token.py",
    "/usr/lib/python3.11/__pycache__/tokenize.cpython-311.pyc",
    "/usr/lib/python3/dist-packages/oauth/tokens.py",
    "/usr/include/linux/passwd.h",
    "/lib/x86_64-linux-gnu/libsecret-1.so.0",
    "/usr/bin/passwd",
    "/usr/share/doc/x/private/y",
    "/var/www/html/index.html",
    "/srv/app/main.py",
];

#[test]
fn a_name_is_enough() {
    for path in SECRETS {
        assert!(secret(Path::new(path), &file(path), &host()).is_some(), "{path}");
    }
    for path in HARMLESS {
        assert_eq!(secret(Path::new(path), &file(path), &host()), None, "{path}");
    }
}

#[test]
fn so_is_a_mode() {
    for path in HARMLESS.iter().chain(SECRETS) {
        let found = Found { open: false, ..file(path) };
        assert!(secret(Path::new(path), &found, &host()).is_some(), "{path}");
    }
    let found = Found { open: false, owner: 107, ..file("/etc/redis/redis.conf") };
    let why = secret(Path::new("/etc/redis/redis.conf"), &found, &host());
    assert_eq!(why.as_deref(), Some("readable by redis only"));
}

#[test]
fn so_is_a_key_inside() {
    let cert = Path::new("/etc/nginx/site.pem");
    for (key, is_secret) in [(Key::Unknown, false), (Key::Public, false), (Key::Private, true)] {
        let found = Found { key, ..file("/etc/nginx/site.pem") };
        assert_eq!(secret(cert, &found, &host()).is_some(), is_secret, "{key:?}");
    }
    // What everybody has from a package is no secret, and a certificate may be called a key.
    let found = Found { key: Key::Private, ..file("/usr/share/doc/x/example.pem") };
    assert_eq!(secret(&found.real.clone(), &found, &host()), None);
    let found = Found { key: Key::Public, ..file("/etc/app/trust.key") };
    assert_eq!(secret(&found.real.clone(), &found, &host()), None);
}

#[test]
fn a_link_hides_nothing() {
    for real in ["/etc/shadow", "/home/alice/x", "/etc/ssl/private/x", "/proc/kcore"] {
        let path = Path::new("/srv/www/harmless.html");
        assert!(secret(path, &file(real), &host()).is_some(), "{real}");
    }
    // The other way around: a secret name may lead to something that is called otherwise.
    let link = Path::new("/etc/ssl/private/x");
    assert!(secret(link, &file("/srv/store/1"), &host()).is_some());
}
