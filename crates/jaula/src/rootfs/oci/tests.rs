use super::*;
use model::tar::{Entry, Kind, write};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("jaula-oci-{name}-{}", std::process::id()));
        _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

fn layer(files: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    let (user, group) = (sys::process::user().into(), sys::process::group().into());
    for (path, text) in files {
        let entry = Entry {
            path: path.as_bytes().to_vec(),
            kind: Kind::File,
            mode: 0o644,
            user,
            group,
            size: text.len() as u64,
            changed: (0, 0),
            attributes: Vec::new(),
            access: None,
            default: None,
            sparse: None,
        };
        out.extend(write::blocks(&entry));
        out.extend(text.bytes());
        out.resize(out.len() + write::padding(entry.size), 0);
    }
    out.extend(write::END);
    out
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(plain).unwrap();
    gzip.finish().unwrap()
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

/// The parts of an image by their digests; its index; its manifest's digest.
struct Sample {
    blobs: HashMap<String, Vec<u8>>,
    index: Vec<u8>,
    manifest: String,
}

/// An image of two layers for this machine, and another for none.
fn sample() -> Sample {
    let mut blobs = HashMap::new();
    let mut keep = |bytes: Vec<u8>| {
        let (name, size) = (digest(&bytes), bytes.len());
        blobs.insert(name.clone(), bytes);
        (name, size)
    };
    let lower = layer(&[("etc/a", "lower"), ("etc/gone", "x"), ("bin/sh", "sh")]);
    let upper = layer(&[("etc/a", "upper"), ("etc/.wh.gone", "")]);
    let config = serde_json::json!({
        "architecture": model::oci::architecture(std::env::consts::ARCH), "os": "linux",
        "config": {"Entrypoint": ["/bin/sh", "-c"], "Cmd": ["true"], "Env": ["A=b=c", "PATH=/bin"],
                   "User": "www:www", "WorkingDir": "/srv", "StopSignal": "SIGQUIT"},
        "rootfs": {"type": "layers", "diff_ids": [digest(&lower), digest(&upper)]},
    });
    let (config, config_size) = keep(config.to_string().into_bytes());
    let layers: Vec<_> = [gzip(&lower), zstd::encode_all(&upper[..], 1).unwrap()]
        .into_iter()
        .map(|bytes| {
            let (digest, size) = keep(bytes);
            serde_json::json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": size})
        })
        .collect();
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": layers,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": config_size},
    });
    let (manifest, size) = keep(manifest.to_string().into_bytes());
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let index = serde_json::json!({"schemaVersion": 2, "manifests": [
        {"mediaType": kind, "digest": format!("sha256:{}", "0".repeat(64)), "size": 1,
         "platform": {"architecture": "vax", "os": "linux"}},
        {"mediaType": kind, "digest": manifest, "size": size,
         "platform": {"architecture": model::oci::architecture(std::env::consts::ARCH), "os": "linux"},
         "annotations": {"org.opencontainers.image.ref.name": "13"}},
    ]});
    Sample { blobs, index: index.to_string().into_bytes(), manifest }
}

impl Sample {
    /// As a layout.
    fn lay(&self, at: &Path) {
        fs::create_dir_all(at.join("blobs/sha256")).unwrap();
        fs::write(at.join("oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}").unwrap();
        fs::write(at.join("index.json"), &self.index).unwrap();
        for (name, bytes) in &self.blobs {
            fs::write(at.join("blobs/sha256").join(&name[7..]), bytes).unwrap();
        }
    }
}

fn get(reference: &str, into: &Path) -> Result<Fetched> {
    _ = fs::remove_dir_all(into);
    fs::create_dir(into).unwrap();
    let top = File::open(into).unwrap();
    let limits = Limits { bytes: 1 << 20, files: 100 };
    fetch(&Reference::parse(reference).unwrap(), top.as_fd(), limits, &mut |_| Ok(()))
}

fn is_good(fetched: &Fetched, into: &Path) {
    assert_eq!(fs::read_to_string(into.join("etc/a")).unwrap(), "upper");
    assert!(into.join("bin/sh").exists() && !into.join("etc/gone").exists());
    assert_eq!(fetched.run.command(), ["/bin/sh", "-c", "true"]);
    assert_eq!(fetched.run.environment()["A"], "b=c");
    assert_eq!(fetched.run.user.as_deref(), Some("www:www"));
    assert_eq!(fetched.run.stop_signal.as_deref(), Some("SIGQUIT"));
}

#[test]
fn layouts_and_archives() {
    let place = Place::new("files");
    let (layout, into) = (place.0.join("layout"), place.0.join("into"));
    let sample = sample();
    sample.lay(&layout);
    for suffix in ["", ":13", &format!("@{}", sample.manifest)] {
        let fetched = get(&format!("{}{suffix}", layout.display()), &into).unwrap();
        is_good(&fetched, &into);
        assert_eq!(fetched.digest, sample.manifest);
    }
    for options in ["-cf", "-czf", "--zstd -cf"] {
        let archive = place.0.join("image.tar");
        let mut tar = std::process::Command::new("tar");
        tar.args(options.split(' ')).arg(&archive).arg("-C").arg(&layout).arg(".");
        assert!(tar.status().unwrap().success());
        is_good(&get(&archive.display().to_string(), &into).unwrap(), &into);
    }
    let line = get(&format!("{}:14", layout.display()), &into).unwrap_err().line();
    assert!(line.contains("no image \"14\" in it; there are: ") && line.contains("13"), "{line}");
    // A part that is another, one that lacks, and no image at all.
    let name = sample.blobs.iter().find(|(_, bytes)| bytes.starts_with(&[0x1f, 0x8b])).unwrap().0;
    let blob = layout.join("blobs/sha256").join(&name[7..]);
    fs::write(&blob, gzip(&layer(&[("etc/evil", "x")]))).unwrap();
    let error = get(&layout.display().to_string(), &into).unwrap_err();
    assert!(error.line().contains("its digest is sha256:"), "{}", error.line());
    fs::remove_file(&blob).unwrap();
    let line = get(&layout.display().to_string(), &into).unwrap_err().line();
    assert!(line.contains("it lacks its part sha256:"), "{line}");
    let error = get(&place.0.display().to_string(), &into).unwrap_err();
    assert!(error.line().contains("is no image") && error.help().is_some(), "{}", error.line());
}

#[test]
fn what_docker_saves() {
    let place = Place::new("saved");
    let (from, into) = (place.0.join("from"), place.0.join("into"));
    fs::create_dir_all(from.join("one")).unwrap();
    fs::create_dir_all(from.join("two")).unwrap();
    let (lower, upper) =
        (layer(&[("bin/sh", "sh"), ("etc/gone", "x")]), layer(&[("etc/a", "upper"), ("etc/.wh.gone", "")]));
    fs::write(from.join("one/layer.tar"), &lower).unwrap();
    fs::write(from.join("real.tar"), gzip(&upper)).unwrap();
    std::os::unix::fs::symlink("../real.tar", from.join("two/layer.tar")).unwrap();
    let config = serde_json::json!({
        "architecture": "amd64",
        "config": {"Cmd": ["/bin/sh", "-c", "true"], "Env": ["A=b=c"], "User": "www:www", "StopSignal": "SIGQUIT"},
        "rootfs": {"diff_ids": [digest(&lower), digest(&upper)]},
    })
    .to_string();
    let name = format!("{}.json", &digest(config.as_bytes())[7..]);
    fs::write(from.join(&name), &config).unwrap();
    let manifest = serde_json::json!([{"Config": name, "RepoTags": ["x:1"], "Layers": ["one/layer.tar", "two/layer.tar"]}]);
    fs::write(from.join("manifest.json"), manifest.to_string()).unwrap();
    let archive = place.0.join("saved.tar");
    let pack = || {
        let mut tar = std::process::Command::new("tar");
        assert!(tar.arg("-cf").arg(&archive).arg("-C").arg(&from).arg(".").status().unwrap().success());
    };
    pack();
    let path = archive.display().to_string();
    let fetched = get(&path, &into).unwrap();
    is_good(&fetched, &into);
    assert_eq!(fetched.digest, digest(config.as_bytes()));
    is_good(&get(&format!("{path}:1"), &into).unwrap(), &into);
    assert!(get(&format!("{path}:2"), &into).unwrap_err().line().contains("no image \"2\""));
    fs::write(from.join("one/layer.tar"), layer(&[("bin/sh", "evil")])).unwrap();
    pack();
    assert!(get(&path, &into).unwrap_err().line().contains("its digest is"));
}

/// A registry on loopback that wants a token, and sends its blobs from elsewhere. What was asked of it is kept.
fn registry(sample: Sample, damage: Option<&'static str>) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&asked);
    let sample = Arc::new(sample);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (kept, sample) = (Arc::clone(&kept), Arc::clone(&sample));
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                while let Some((path, authorized)) = request(&mut reader) {
                    kept.lock().unwrap().push(path.clone());
                    answer(&stream, &sample, port, &path, authorized, damage);
                }
            });
        }
    });
    (port, asked)
}

fn request(reader: &mut impl BufRead) -> Option<(String, bool)> {
    let (mut path, mut authorized) = (String::new(), false);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(rest) = line.strip_prefix("GET ") {
            path = rest.split(' ').next()?.to_owned();
        }
        authorized |= line.to_ascii_lowercase().trim() == "authorization: bearer good";
        if line == "\r\n" {
            return Some((path, authorized));
        }
    }
}

fn answer(
    mut to: &TcpStream,
    sample: &Sample,
    port: u16,
    path: &str,
    authorized: bool,
    damage: Option<&str>,
) {
    let part =
        |kind: &str| path.strip_prefix(&format!("/v2/a/b/{kind}/")).and_then(|name| sample.blobs.get(name));
    let (status, header, body) = match path {
        _ if damage == Some("down") => ("500 Oops", String::new(), b"{}".to_vec()),
        "/v2/a/b/manifests/13" if authorized => ("200 OK", String::new(), sample.index.clone()),
        _ if path.starts_with("/token?") => ("200 OK", String::new(), b"{\"token\":\"good\"}".to_vec()),
        _ if path.starts_with("/elsewhere/") => {
            // The token is not for others.
            assert!(!authorized);
            let blob = sample.blobs[&path["/elsewhere/".len()..]].clone();
            let cut =
                if damage == Some("cut") && blob.starts_with(&[0x1f]) { blob.len() / 2 } else { blob.len() };
            let text = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", blob.len());
            _ = to.write_all(text.as_bytes()).and_then(|()| to.write_all(&blob[..cut]));
            if cut < blob.len() {
                _ = to.shutdown(std::net::Shutdown::Both);
            }
            return;
        }
        _ if !authorized => {
            let scope = "service=\"s\",scope=\"repository:a/b:pull\"";
            let challenge =
                format!("www-authenticate: Bearer realm=\"http://127.0.0.1:{port}/token\",{scope}\r\n");
            ("401 Unauthorized", challenge, b"{\"errors\":[{\"message\":\"who are you?\"}]}".to_vec())
        }
        _ => match (part("manifests"), part("blobs")) {
            (Some(document), _) => ("200 OK", String::new(), document.clone()),
            (_, Some(_)) => {
                let to = format!(
                    "location: http://localhost:{port}/elsewhere/{}\r\n",
                    &path["/v2/a/b/blobs/".len()..]
                );
                ("307 Elsewhere", to, Vec::new())
            }
            _ => {
                let said = b"{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":\"manifest unknown\"}]}";
                ("404 Not Found", String::new(), said.to_vec())
            }
        },
    };
    let text = format!("HTTP/1.1 {status}\r\n{header}content-length: {}\r\n\r\n", body.len());
    _ = to.write_all(text.as_bytes()).and_then(|()| to.write_all(&body));
}

#[test]
fn a_registry_is_asked() {
    let place = Place::new("registry");
    let sample = sample();
    let manifest = sample.manifest.clone();
    let (port, asked) = registry(sample, None);
    let fetched = get(&format!("127.0.0.1:{port}/a/b:13"), &place.0.join("into")).unwrap();
    is_good(&fetched, &place.0.join("into"));
    assert_eq!(fetched.digest, manifest);
    let fetched = get(&format!("127.0.0.1:{port}/a/b@{manifest}"), &place.0.join("into")).unwrap();
    is_good(&fetched, &place.0.join("into"));
    let tokens = asked.lock().unwrap().iter().filter(|path| path.starts_with("/token?")).count();
    assert_eq!(tokens, 2, "one for each pull");
    let error = get(&format!("127.0.0.1:{port}/a/b:14"), &place.0.join("into")).unwrap_err();
    let line = error.line();
    assert!(
        line.contains("answers 404 to manifests/14: manifest unknown") && error.help().is_some(),
        "{line}"
    );
}

#[test]
fn a_registry_that_fails() {
    let place = Place::new("fails");
    let into = place.0.join("into");
    let (port, _) = registry(sample(), Some("cut"));
    let line = get(&format!("127.0.0.1:{port}/a/b:13"), &into).unwrap_err().line();
    assert!(
        line.contains("cut short") || line.contains("damaged") || line.contains("cannot be read"),
        "{line}"
    );
    let (port, _) = registry(sample(), Some("down"));
    let line = get(&format!("127.0.0.1:{port}/a/b:13"), &into).unwrap_err().line();
    assert!(line.contains("answers 500 to manifests/13"), "{line}");
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let line = get(&format!("127.0.0.1:{nobody}/a/b:13"), &into).unwrap_err().line();
    assert!(line.contains("cannot be reached"), "{line}");
    let line = get("registry.invalid/a/b:13", &into).unwrap_err().line();
    assert!(line.contains("cannot be reached") && !line.contains('\n'), "{line}");
}
