//! POSIX access lists: the text that archives have, and the value of the kernel's attribute
//! (acl(5), `linux/posix_acl_xattr.h`).

use super::Fault;

/// The attribute of a file's list.
pub const ACCESS: &str = "system.posix_acl_access";
/// The attribute of the list that new files in a directory get.
pub const DEFAULT: &str = "system.posix_acl_default";

const VERSION: u32 = 2;
const USER_OWNER: u16 = 1;
const USER: u16 = 2;
const GROUP_OWNER: u16 = 4;
const GROUP: u16 = 8;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;
const NOBODY: u32 = u32::MAX;

/// The attribute's value for a text such as `user::rwx,user:1000:r-x,group::r-x,mask::r-x,other::---`. Names of
/// users and groups are looked up with `user` and `group`, unless a number stands behind them, as star and bsdtar
/// write it.
pub fn value(
    text: &[u8],
    user: impl Fn(&str) -> Option<u32>,
    group: impl Fn(&str) -> Option<u32>,
) -> Result<Vec<u8>, Fault> {
    let fault = || Fault::Acl(text.to_vec());
    let words = std::str::from_utf8(text).map_err(|_| fault())?;
    let mut rows = Vec::new();
    for word in words.split([',', '\n']).map(str::trim).filter(|word| !word.is_empty()) {
        let mut fields = word.split(':').map(str::trim);
        let mut field = || fields.next().unwrap_or_default();
        let (who, name, rights, number) = (field(), field(), field(), field());
        let id = |look: &dyn Fn(&str) -> Option<u32>| match number.parse() {
            Ok(number) => Ok(number),
            Err(_) => name.parse().ok().or_else(|| look(name)).ok_or_else(fault),
        };
        let (tag, id) = match (who, name) {
            ("user" | "u", "") => (USER_OWNER, NOBODY),
            ("user" | "u", _) => (USER, id(&user)?),
            ("group" | "g", "") => (GROUP_OWNER, NOBODY),
            ("group" | "g", _) => (GROUP, id(&group)?),
            ("mask" | "m", "") => (MASK, NOBODY),
            ("other" | "o", "") => (OTHER, NOBODY),
            _ => return Err(fault()),
        };
        rows.push((tag, id, bits(rights).ok_or_else(fault)?));
    }
    // The kernel wants them by kind and number.
    rows.sort_unstable();
    let mut value = VERSION.to_le_bytes().to_vec();
    for (tag, id, rights) in rows {
        value.extend(tag.to_le_bytes());
        value.extend(rights.to_le_bytes());
        value.extend(id.to_le_bytes());
    }
    Ok(value)
}

/// `r-x` in bits.
fn bits(rights: &str) -> Option<u16> {
    rights.chars().try_fold(0, |bits, letter| match letter {
        'r' => Some(bits | 4),
        'w' => Some(bits | 2),
        'x' => Some(bits | 1),
        '-' => Some(bits),
        _ => None,
    })
}

/// All numbers of users and groups in a value.
pub fn ids(value: &[u8]) -> Option<Vec<u32>> {
    let rows = rows(value)?;
    Some(rows.into_iter().filter(|(tag, ..)| matches!(*tag, USER | GROUP)).map(|(_, _, id)| id).collect())
}

fn rows(value: &[u8]) -> Option<Vec<(u16, u16, u32)>> {
    let rows = value.strip_prefix(&VERSION.to_le_bytes())?;
    if !rows.len().is_multiple_of(8) {
        return None;
    }
    let short = |a, b| u16::from_le_bytes([a, b]);
    let row = |row: &[u8]| match *row {
        [a, b, c, d, e, f, g, h] => Some((short(a, b), short(c, d), u32::from_le_bytes([e, f, g, h]))),
        _ => None,
    };
    rows.chunks_exact(8).map(row).collect()
}

/// The text for a value, with numbers for users and groups.
pub fn text(value: &[u8]) -> Option<String> {
    let words = rows(value)?.into_iter().map(|(tag, rights, id)| {
        let letter = |bit, letter| if rights & bit == 0 { '-' } else { letter };
        let rights: String = [letter(4, 'r'), letter(2, 'w'), letter(1, 'x')].iter().collect();
        Some(match tag {
            USER_OWNER => format!("user::{rights}"),
            USER => format!("user:{id}:{rights}"),
            GROUP_OWNER => format!("group::{rights}"),
            GROUP => format!("group:{id}:{rights}"),
            MASK => format!("mask::{rights}"),
            OTHER => format!("other::{rights}"),
            _ => return None,
        })
    });
    words.collect::<Option<Vec<_>>>().map(|words| words.join(","))
}
