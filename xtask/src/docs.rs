//! Documents that are generated: what the program knows about itself is written down once, in
//! the program, and everything else is printed from there.

use crate::shell::{Result, command, jaula, output, run, top};
use std::fs;

/// The hidden verb that prints each document, and where the document is.
const DOCUMENTS: &[(&[&str], &str)] =
    &[(&["generate", "config"], "docs/config.md"), (&["generate", "man"], "docs/man/jaula.1")];

/// Writes all generated documents.
pub(crate) fn docs() -> Result {
    run(&mut command(&["cargo", "build", "--release", "--package", "jaula-cli"]))?;
    for (verb, path) in DOCUMENTS {
        let text = output(command(&[jaula()?]).args(*verb))?;
        if text.is_empty() {
            return Err(format!("jaula {} printed nothing", verb.join(" ")).into());
        }
        let path = top().join(path);
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        fs::write(&path, text)?;
        println!("docs: {}", path.display());
    }
    // The page that shows a plan is compared with the code by this test, which can also write it.
    run(command(&["cargo", "test", "--quiet", "--package", "jaula-cli", "the_page_shows_the_plan"])
        .env("JAULA_DOCS_RENEW", "1"))
}
