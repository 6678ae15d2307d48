//! Starts the lab and waits for its command.

use super::Disks;
use super::make::remove;
use super::work::{self, Command};
use crate::shell::{Result, command};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// Runs a command in the lab; each line that it prints is handed on at once. Gives its status.
pub(super) fn run(
    disks: &Disks,
    run: &Command<'_>,
    limit: Duration,
    each_line: &mut dyn FnMut(&str),
) -> Result<i32> {
    let place = Place::new(disks)?;
    let mut qemu = emulator(disks, run, &place.at)?;
    let begun = Instant::now();
    let mut child = qemu.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let lines = lines(&mut child)?;
    loop {
        match lines.recv_timeout(limit.saturating_sub(begun.elapsed())) {
            Ok(line) => each_line(&line),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                child.kill()?;
                child.wait()?;
                return Err(
                    format!("not ended after {} s in the lab{}", limit.as_secs(), place.console()).into()
                );
            }
        }
    }
    child.wait()?;
    let status = fs::read_to_string(place.at.join("status")).unwrap_or_default();
    match status.trim().parse() {
        Ok(status) => Ok(status),
        Err(_) => Err(format!("the lab ended before its command{}", place.console()).into()),
    }
}

/// A shell in the lab, on this terminal; `exit` switches it off, Ctrl-A X ends the emulator.
pub(super) fn shell(disks: &Disks, run: &Command<'_>) -> Result {
    let place = Place::new(disks)?;
    emulator(disks, run, &place.at)?.status()?;
    Ok(())
}

/// A run's own directory; only one run is at a time, as the emulator takes all processors.
struct Place {
    at: PathBuf,
    _alone: File,
}

impl Place {
    fn new(disks: &Disks) -> Result<Self> {
        let alone = File::create(disks.lab.cache().join("lab.running"))?;
        if alone.try_lock().is_err() {
            println!("lab: another run is not over; waiting");
            alone.lock()?;
        }
        let at = disks.lab.cache().join("lab.run");
        remove(&at)?;
        fs::create_dir(&at)?;
        Ok(Self { at, _alone: alone })
    }

    /// The end of what the machine printed on its console.
    fn console(&self) -> String {
        let said = fs::read(self.at.join("console")).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let lines: Vec<&str> = said.lines().collect();
        let last = lines.iter().skip(lines.len().saturating_sub(30)).copied();
        std::iter::once("; its console:").chain(last).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        _ = remove(&self.at);
    }
}

/// What the command prints, line by line.
fn lines(child: &mut Child) -> Result<mpsc::Receiver<String>> {
    let stdout = BufReader::new(child.stdout.take().ok_or("no output")?);
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in stdout.split(b'\n').map_while(std::result::Result::ok) {
            let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}

/// The emulator's command line. It runs by its own loader, with its own libraries, as it is not installed.
fn emulator(disks: &Disks, run: &Command<'_>, at: &Path) -> Result<std::process::Command> {
    let work = work::disk(disks, run, at)?;
    let qemu = disks.lab.qemu();
    let libraries = qemu.join("usr/lib/x86_64-linux-gnu");
    let mut all = command(&["nice"]);
    all.arg(qemu.join("usr/lib64/ld-linux-x86-64.so.2")).arg("--library-path");
    all.arg(format!("{0}:{0}/pulseaudio", libraries.display()));
    all.arg(qemu.join("usr/bin/qemu-system-x86_64"));
    all.arg("-L").arg(qemu.join("usr/share/qemu")).arg("-L").arg(qemu.join("usr/share/seabios"));
    all.env("QEMU_MODULE_DIR", libraries.join("qemu")).env("TMPDIR", at);
    all.args([
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-machine",
        "q35,hpet=off",
        "-cpu",
        "max",
    ]);
    all.args(["-accel", "tcg,thread=multi,tb-size=512", "-smp", "2", "-m", "3072"]);
    all.args(["-device", "virtio-rng-pci", "-device", "virtio-serial"]);
    all.arg("-kernel").arg(disks.lab.kernel()).arg("-initrd").arg(disks.lab.initrd());
    // Nothing is written to a disk: what changes is kept beside it, as long as the machine runs.
    for disk in [Some(disks.lab.disk()), Some(work), work::trees(disks.lab.cache())?].into_iter().flatten() {
        let disk = disk.display();
        all.args([
            "-drive",
            &format!("file={disk},format=raw,if=virtio,snapshot=on,cache=unsafe,discard=unmap"),
        ]);
    }
    // A machine that has other things to do may keep the emulated one from its timer for so long that the kernel takes
    // that for broken, and stops.
    let mut kernel =
        "root=/dev/vda rw rootflags=prjquota console=ttyS0 mitigations=off audit=0 no_timer_check \
                      systemd.show_status=0 loglevel=4"
            .to_owned();
    if run.terminal {
        kernel.push_str(" lab.terminal");
        all.args(["-serial", "mon:stdio"]);
    } else {
        all.args(["-chardev", "file,id=output,path=/proc/self/fd/1"]);
        all.args(["-device", "virtserialport,chardev=output,name=output"]);
        all.arg("-chardev").arg(format!("file,id=status,path={}", at.join("status").display()));
        all.args(["-device", "virtserialport,chardev=status,name=status"]);
        all.arg("-serial").arg(format!("file:{}", at.join("console").display()));
    }
    all.arg("-append").arg(kernel);
    Ok(all)
}
