//! Documents that are generated: what the program knows about itself is written down once, in
//! the program, and everything else is printed from there.

use crate::release;
use crate::shell::{Result, command, run};

/// The tests that compare a document with the program. With [`RENEW`] set they write it instead.
const TESTS: &[(&str, &str)] = &[
    ("jaula-model", "docs_config_md_is_up_to_date"),
    ("jaula-model", "docs_audit_md_is_up_to_date"),
    ("jaula-cli", "the_page_shows_the_plan"),
    ("jaula-tests", "app_jails_md_is_true"),
];

const RENEW: &str = "JAULA_DOCS_RENEW";

/// Writes all generated documents.
pub(crate) fn docs() -> Result {
    let jaula = release::build()?;
    TESTS.iter().try_for_each(|(package, test)| {
        run(command(&["cargo", "test", "--quiet", "--package", package, test])
            .env(RENEW, "1")
            .env("JAULA_BIN", &jaula))
    })
}
