//! Words to a command, as [`table`](crate::table) describes them.

use crate::command::{Command, Invocation, Json};
use crate::given::{Given, text};
use crate::table::{Kind, Opt, ROOT, Take, Verb, Words};
use crate::usage::{Fault, UsageError, count_operands};
use lexopt::{Arg, Parser};
use std::ffi::OsString;

/// The command that these words (without the program's own name) ask for.
pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Invocation, UsageError> {
    let words: Vec<OsString> = words.into_iter().collect();
    let mut verb = &ROOT;
    let given = read(words, &mut verb).map_err(|fault| UsageError { fault, verb })?;
    let (quiet, color) = (given.quiet, given.color);
    let command = command(given, verb).map_err(|fault| UsageError { fault, verb })?;
    Ok(Invocation { command, quiet, color })
}

/// Reads all words. `verb` is where it has come to, also when it fails.
fn read(words: Vec<OsString>, verb: &mut &'static Verb) -> Result<Given, Fault> {
    // Who types nothing wants to know what there is.
    let mut given = Given { help: words.is_empty(), ..Given::default() };
    let mut lexer = Parser::from_args(words);
    let mut is_literal = false;
    loop {
        // lexopt makes U+FFFD of what is not UTF-8 in an option; refuse it instead.
        if let Some(next) = lexer.try_raw_args().and_then(|raw| raw.peek().map(OsString::from)) {
            let is_option = next.as_encoded_bytes().starts_with(b"-") && !is_literal;
            is_literal |= next == "--";
            if is_option && next.to_str().is_none() {
                return Err(Fault::NotUtf8(next));
            }
        }
        let arg = match lexer.next() {
            Ok(None) => break,
            Ok(Some(arg)) => arg,
            Err(lexopt::Error::UnexpectedValue { option, value }) => {
                return Err(Fault::UnexpectedValue { option, value: value.to_string_lossy().into_owned() });
            }
            Err(other) => return Err(Fault::Unreadable(other.to_string())),
        };
        let (option, typed) = match arg {
            Arg::Value(word) if !verb.members().is_empty() => {
                let word = text(word)?;
                *verb = verb.member(&word).ok_or(Fault::UnknownVerb { word, family: verb })?;
                continue;
            }
            Arg::Value(word) => {
                given.operands.push(word);
                if verb.words_before_command().is_some_and(|before| given.operands.len() > before) {
                    given.operands.extend(lexer.try_raw_args().into_iter().flatten());
                    break;
                }
                continue;
            }
            Arg::Long(long) => (verb.option(long), format!("--{long}")),
            Arg::Short(letter) => (verb.letter(letter), format!("-{letter}")),
        };
        let option = option.ok_or_else(|| Fault::UnknownOption { option: typed.clone(), verb })?;
        take(option, typed, &mut lexer, &mut given)?;
        if given.help || given.version {
            break;
        }
    }
    Ok(given)
}

/// Does what `option`, `typed` so, asks for, with its value if it has one.
fn take(option: &Opt, typed: String, lexer: &mut Parser, given: &mut Given) -> Result<(), Fault> {
    match option.take {
        Take::Flag(set) => {
            set(given);
            Ok(())
        }
        Take::Value { name, words, put } => {
            let Ok(value) = lexer.value() else {
                return Err(Fault::MissingValue { option: typed, value: name });
            };
            let value = text(value)?;
            check(&typed, &value, words)?;
            put(given, value.clone()).map_err(|wanted| Fault::BadValue { option: typed, value, wanted })
        }
    }
}

/// Is `word`, given for `what`, one of those that it can be?
fn check(what: &str, word: &str, words: Words) -> Result<(), Fault> {
    match words {
        Words::OneOf(one_of) if !one_of.contains(&word) => {
            Err(Fault::NotOneOf { what: what.to_owned(), value: word.to_owned(), one_of })
        }
        _ => Ok(()),
    }
}

/// What `verb` makes of what was given.
fn command(given: Given, verb: &'static Verb) -> Result<Command, Fault> {
    if given.help {
        return Ok(Command::Help(verb));
    }
    if given.version {
        return Ok(Command::Version(Json(false)));
    }
    let Kind::Command(build) = verb.kind else { return Err(Fault::MissingVerb(verb)) };
    count_operands(verb, &given.operands, given.all)?;
    for (index, word) in given.operands.iter().enumerate() {
        if let Some(operand) = verb.operand(index)
            && let Words::OneOf(_) = operand.words
        {
            check(operand.name, &word.to_string_lossy(), operand.words)?;
        }
    }
    build(given)
}

#[cfg(test)]
mod tests;
