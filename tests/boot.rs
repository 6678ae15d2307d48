//! Virtual servers boot, and do what is said inside: Debian 12 and 13 with systemd, one with System V's init, and
//! roots without any.

mod console;
mod inits;
mod systemd;

use jaula_tests::harness::{Jaula, Outcome, Template, Test};
use libtest_mimic::Trial;
use std::time::Duration;

pub(crate) fn trials() -> Vec<Trial> {
    [systemd::trials(), inits::trials(), console::trials()].into_iter().flatten().collect()
}

/// Prints `running`, or what kept systemd from it.
pub(crate) const WHOLE: &str = "systemctl is-system-running --wait || {
    systemctl list-jobs --no-legend
    systemctl status --no-pager --full --lines=30 --state=failed
}";

/// A jail that boots a distribution. Nothing that it does takes longer than two minutes.
pub(crate) struct Server<'t> {
    t: &'t Test,
    pub(crate) name: String,
    /// On the host that it runs on.
    jaula: Jaula,
}

impl<'t> Server<'t> {
    /// Over a template's tree, which stays as it is: nobody makes ssh host keys, and systemd gives its ssh up after
    /// some tries. Where nothing may fail, it is `built`.
    pub(crate) fn of(t: &'t Test, template: Template, options: &[&str]) -> Outcome<Self> {
        let tree = template.kept(t)?.join("tree");
        Self::over(t, &tree.to_string_lossy(), options)
    }

    pub(crate) fn over(t: &'t Test, tree: &str, options: &[&str]) -> Outcome<Self> {
        let name = t.name("web");
        let root = format!("dir:{tree}");
        let create = ["create", &name, "--quiet", "--profile", "server", "--root", &root];
        t.jaula().ok(&[&create[..], options].concat())?;
        Ok(Self { t, name, jaula: t.jaula() })
    }

    /// Built from a template by this command, with files of its own.
    pub(crate) fn built(
        t: &'t Test,
        jaula: Jaula,
        template: Template,
        word: &str,
        options: &[&str],
    ) -> Outcome<Self> {
        let name = t.name(word);
        if !t.root().join("var/lib/jaula/templates").join(template.name()).exists() {
            template.put(t)?;
        }
        let from = format!("template:{}", template.name());
        jaula.ok(&[&["build", &name, "--quiet", "--from", &from], options].concat())?;
        Ok(Self { t, name, jaula })
    }

    /// One that is there.
    pub(crate) fn known(t: &'t Test, name: String) -> Self {
        Self { t, name, jaula: t.jaula() }
    }

    pub(crate) fn jaula(&self) -> Jaula {
        self.jaula.clone().within(Duration::from_secs(120))
    }

    pub(crate) fn start(&self) -> Outcome {
        self.jaula().ok(&["start", &self.name]).map(drop)
    }

    pub(crate) fn stop(&self) -> Outcome {
        self.jaula().ok(&["stop", &self.name]).map(drop)
    }

    /// A line of shell inside, which must succeed; gives what it printed.
    pub(crate) fn shell(&self, script: &str) -> Outcome<String> {
        self.jaula().ok(&["exec", &self.name, "--", "sh", "-c", script])
    }

    /// Its systemd has started all that it means to start, or what failed is told with its log.
    pub(crate) fn nothing_failed(&self) -> Outcome {
        let said = self.shell(WHOLE)?;
        assert_eq!(said, "running\n", "{}", self.log());
        Ok(())
    }

    pub(crate) fn status(&self) -> Outcome<serde_json::Value> {
        let done = self.jaula().run(&["status", &self.name, "--json"])?;
        let all: serde_json::Value =
            serde_json::from_str(&done.stdout).map_err(|e| format!("{e}: {done}"))?;
        Ok(all[0].clone())
    }

    pub(crate) fn log(&self) -> String {
        let path = self.t.root().join(format!("var/lib/jaula/jails/{}/console.log", self.name));
        String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).replace('\r', "")
    }

    /// Waits until its state is this.
    pub(crate) fn becomes(&self, state: &str) -> Outcome {
        crate::declared::until(state, || (self.status().ok()?["state"] == state).then_some(()))
    }

    /// Stopped, it has left nothing.
    pub(crate) fn end(self) -> Outcome {
        if self.status()?["state"] != "stopped" {
            self.stop()?;
        }
        crate::declared::nothing_left(self.t)
    }
}
