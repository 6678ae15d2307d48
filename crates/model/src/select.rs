//! Which jails the words of a command mean.

use crate::name::{Id, Name};
use crate::suggest::nearest;

/// Why words mean no jails.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// Neither a word nor `--all`.
    #[error("no jail is named")]
    Nothing,
    /// Words and `--all` together.
    #[error("jails are named, and all are meant too")]
    Both,
    /// No jail of that name or number, and none begins like that.
    #[error("there is no jail {word:?}")]
    Unknown {
        /// What was given.
        word: String,
        /// The jail that was probably meant.
        nearest: Option<Name>,
    },
    /// No jail matches a pattern.
    #[error("no jail matches {0:?}")]
    NoMatch(String),
    /// Several jails begin like that.
    #[error("{word:?} could be {}", .candidates.iter().map(Name::as_str).collect::<Vec<_>>().join(", "))]
    Ambiguous {
        /// What was given.
        word: String,
        /// The jails that begin like that, in the order in which they are known.
        candidates: Vec<Name>,
    },
}

impl SelectError {
    /// The line of help, if there is something to say.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Nothing => Some("name one, or say --all".to_owned()),
            Self::Both => Some("leave out --all, or the names".to_owned()),
            Self::Unknown { nearest, .. } => nearest.as_ref().map(|name| format!("did you mean {name}?")),
            Self::NoMatch(_) => Some("`jaula list` shows all jails".to_owned()),
            Self::Ambiguous { .. } => {
                Some("write more of the name, or put a * at its end to mean them all".to_owned())
            }
        }
    }
}

/// The jails among `known` that `words` mean, each once, in the order of `known`.
///
/// A word is the name of a jail, its id, a pattern with `*`, `?` or `[a-z]`, or the beginning
/// of one name only; the first of these that fits counts. With `all` all are meant.
///
/// # Errors
/// The first word that means no jail, or not one jail only.
pub fn select(words: &[String], all: bool, known: &[(Name, Option<Id>)]) -> Result<Vec<Name>, SelectError> {
    match (words, all) {
        ([], false) => return Err(SelectError::Nothing),
        ([_, ..], true) => return Err(SelectError::Both),
        _ => {}
    }
    let mut chosen = vec![all; known.len()];
    for word in words {
        for index in meant(word, known)? {
            chosen[index] = true;
        }
    }
    Ok(known.iter().zip(chosen).filter(|(_, chosen)| *chosen).map(|((name, _), _)| name.clone()).collect())
}

/// Which of `known` a word means, by index.
fn meant(word: &str, known: &[(Name, Option<Id>)]) -> Result<Vec<usize>, SelectError> {
    let that = |fits: &dyn Fn(&Name, Option<Id>) -> bool| -> Vec<usize> {
        known.iter().enumerate().filter(|(_, (name, id))| fits(name, *id)).map(|(index, _)| index).collect()
    };
    let exact = that(&|name, _| name.as_str() == word);
    if !exact.is_empty() {
        return Ok(exact);
    }
    if let Ok(wanted) = word.parse::<Id>() {
        let numbered = that(&|_, id| id == Some(wanted));
        if !numbered.is_empty() {
            return Ok(numbered);
        }
    }
    if word.contains(['*', '?', '[']) {
        let matching = that(&|name, _| matches(word.as_bytes(), name.as_str().as_bytes()));
        return if matching.is_empty() { Err(SelectError::NoMatch(word.to_owned())) } else { Ok(matching) };
    }
    // A number is an id and nothing else: `1` is not short for the jail `1a`.
    let number = word.bytes().all(|b| b.is_ascii_digit());
    let beginning = that(&|name, _| !number && name.as_str().starts_with(word));
    match beginning.len() {
        0 => {
            let nearest = nearest(word, known.iter().map(|(name, _)| name.as_str()));
            let nearest = nearest.and_then(|near| known.iter().find(|(name, _)| name.as_str() == near));
            Err(SelectError::Unknown {
                word: word.to_owned(),
                nearest: nearest.map(|(name, _)| name.clone()),
            })
        }
        1 => Ok(beginning),
        _ => Err(SelectError::Ambiguous {
            word: word.to_owned(),
            candidates: beginning.into_iter().map(|index| known[index].0.clone()).collect(),
        }),
    }
}

/// Does a pattern as of glob(7) match the whole of a text? `[` without its `]` is itself.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on when the part after the last `*` does not match: one byte further on.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        let step = match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some(b'?') => Some(1),
            Some(b'[') => class(&pattern[p..], text[t]),
            Some(byte) => (*byte == text[t]).then_some(1),
            None => None,
        };
        match (step, retry) {
            (Some(length), _) => (p, t) = (p + length, t + 1),
            (None, Some((after, from))) => {
                (p, t) = (after, from + 1);
                retry = Some((after, from + 1));
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// The length of the class `[…]` at the beginning of a pattern, if `byte` is in it.
fn class(pattern: &[u8], byte: u8) -> Option<usize> {
    let negated = matches!(pattern.get(1), Some(b'!' | b'^'));
    let first = if negated { 2 } else { 1 };
    // A `]` that comes first is one of the class.
    let Some(end) = pattern.iter().skip(first + 1).position(|b| *b == b']').map(|at| at + first + 1) else {
        return (byte == b'[').then_some(1);
    };
    let mut members = &pattern[first..end];
    let mut within = false;
    while let [low, rest @ ..] = members {
        (within, members) = match rest {
            [b'-', high, rest @ ..] => (within | (*low..=*high).contains(&byte), rest),
            _ => (within | (*low == byte), rest),
        };
    }
    (within != negated).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<(Name, Option<Id>)> {
        let jails = [
            ("www2", Some(102)),
            ("www", Some(101)),
            ("db", None),
            ("1a", Some(5)),
            ("mail.example", Some(7)),
        ];
        jails.map(|(name, id)| (name.parse().unwrap(), id.map(|id| Id::new(id).unwrap()))).to_vec()
    }

    fn selected(words: &[&str], all: bool) -> Result<Vec<String>, SelectError> {
        let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        Ok(select(&words, all, &known())?.iter().map(Name::to_string).collect())
    }

    #[test]
    fn words_mean_jails() {
        for (words, all, names) in [
            (&["www"][..], false, &["www"][..]),
            (&["101"], false, &["www"]),
            (&["www", "www2", "101"], false, &["www2", "www"]),
            (&["d"], false, &["db"]),
            (&["ma"], false, &["mail.example"]),
            (&["*"], false, &["www2", "www", "db", "1a", "mail.example"]),
            (&["w*", "[a-d]?"], false, &["www2", "www", "db"]),
            (&["5"], false, &["1a"]),
            (&[], true, &["www2", "www", "db", "1a", "mail.example"]),
        ] {
            assert_eq!(selected(words, all).unwrap(), names, "{words:?}");
        }
        assert_eq!(select(&[], true, &[]), Ok(vec![]));
    }

    #[test]
    fn words_that_mean_none_are_told() {
        for (words, all, error, help) in [
            (&[][..], false, "no jail is named", Some("name one, or say --all")),
            (&["www"], true, "jails are named, and all are meant too", Some("leave out --all, or the names")),
            (
                &["ww"],
                false,
                "\"ww\" could be www2, www",
                Some("write more of the name, or put a * at its end to mean them all"),
            ),
            (&["wwww"], false, "there is no jail \"wwww\"", Some("did you mean www2?")),
            (
                &["mali.example"],
                false,
                "there is no jail \"mali.example\"",
                Some("did you mean mail.example?"),
            ),
            (&["1"], false, "there is no jail \"1\"", Some("did you mean 1a?")),
            (&["nothing"], false, "there is no jail \"nothing\"", None),
            (&["x*"], false, "no jail matches \"x*\"", Some("`jaula list` shows all jails")),
        ] {
            let bad = selected(words, all).unwrap_err();
            assert_eq!((bad.to_string().as_str(), bad.help().as_deref()), (error, help), "{words:?}");
        }
    }

    #[test]
    fn patterns() {
        for (pattern, text, fits) in [
            ("", "", true),
            ("*", "", true),
            ("a*b*c", "axxbxxbc", true),
            ("a*b*c", "axxbxxbd", false),
            ("?", "", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[^a-c]x", "dx", true),
            ("[]-]", "]", true),
            ("[]-]", "-", true),
            ("[a-]", "-", true),
            ("[", "[", true),
            ("a[", "a", false),
            ("a[b", "a[b", true),
            ("[!]", "!", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), fits, "{pattern} {text}");
        }
        // Stars do not make it slow.
        assert!(!matches("*a".repeat(50).as_bytes(), &[b'a'; 49]));
    }

    proptest::proptest! {
        #[test]
        fn no_word_panics(pattern in r"[\[\]*?!^a-c-]{0,12}", text in "[a-c\\[\\]]{0,12}") {
            let _ = matches(pattern.as_bytes(), text.as_bytes());
            let _ = select(&[pattern], false, &known());
            proptest::prop_assert!(matches(b"*", text.as_bytes()));
        }
    }
}
