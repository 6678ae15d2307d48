//! From a plan's calls to numbers and addresses: everything that the child needs, laid out
//! before it exists.

use model::plan::call::bits;
use model::plan::{Arg, Expect, Flag, Step};
use std::collections::BTreeMap;
use sys::program::{self, Op, Place, Program};

/// Lays out a program. `descriptors` are those that the parent has open, by name.
pub(crate) fn lower(steps: &[Step], descriptors: &BTreeMap<&str, i32>) -> Program {
    let mut program = Program::with_capacity(steps.len());
    let mut results: BTreeMap<&str, Place> = BTreeMap::new();
    for Step { call, .. } in steps {
        let mut args = [program::Arg::Value(0); 6];
        let mut length = 0;
        for (to, arg) in args.iter_mut().zip(&call.args) {
            let descriptor = |name: &str| match (results.get(name), descriptors.get(name)) {
                (Some(place), _) => program::Arg::Content(*place),
                (None, fd) => program::Arg::Value(word(fd.copied().unwrap_or(-1))),
            };
            *to = match arg {
                Arg::Fd(name) => descriptor(name),
                // Ranges are around what the parent has open, so that the number is known.
                Arg::Before(name) => {
                    program::Arg::Value(word(descriptors.get(name.as_ref()).map_or(-1, |fd| fd - 1)))
                }
                Arg::After(name) => {
                    program::Arg::Value(word(descriptors.get(name.as_ref()).map_or(-1, |fd| fd + 1)))
                }
                Arg::SendFd(name) => message(&mut program, results.get(name.as_ref())),
                Arg::LengthOfLast => program::Arg::Value(length),
                other => {
                    if let Arg::Bytes(bytes) = other {
                        length = bytes.len() as u64;
                    }
                    argument(&mut program, other)
                }
            };
        }
        let into = call.into.as_ref().map(|name| {
            let place = result(&mut program);
            results.insert(name, place);
            place
        });
        program.push(Op { number: sys::program::number(call.name), args, into, expect: expect(call.expect) });
    }
    program
}

/// A signed number as the kernel takes it in a register.
fn word(n: i32) -> u64 {
    i64::from(n).cast_unsigned()
}

/// Room for a result, as the third word of a control message that could send it on
/// (`struct cmsghdr` with `SCM_RIGHTS`): a descriptor that is sent is so in its place already.
fn result(program: &mut Program) -> Place {
    const SOL_SOCKET: u64 = 1;
    const SCM_RIGHTS: u64 = 1;
    let message = program.words([20, SOL_SOCKET | SCM_RIGHTS << 32, 0].map(program::Arg::Value));
    program.word(message, 2)
}

/// `struct msghdr` of a message of one byte that carries the descriptor.
fn message(program: &mut Program, descriptor: Option<&Place>) -> program::Arg {
    use program::Arg::{Address, Value};
    let Some(descriptor) = descriptor else { return Value(0) };
    let byte = program.bytes(b"c");
    let part = program.words([Address(byte), Value(1)]);
    let control = program.back(*descriptor, 2);
    let header = [Value(0), Value(0), Address(part), Value(1), Address(control), Value(24), Value(0)];
    Address(program.words(header))
}

fn argument(program: &mut Program, arg: &Arg) -> program::Arg {
    use program::Arg::{Address, Value};
    let words =
        |program: &mut Program, words: &[u64]| Address(program.words(words.iter().copied().map(Value)));
    match arg {
        Arg::Here => Value(word(-100)),
        Arg::Null | Arg::Fd(_) | Arg::Before(_) | Arg::After(_) | Arg::SendFd(_) | Arg::LengthOfLast => {
            Value(0)
        }
        Arg::Number(n) => Value(*n),
        Arg::Mode(mode) => Value((*mode).into()),
        Arg::Flags(flags) => Value(bits(flags)),
        Arg::Text(text) => Address(program.bytes(text.as_bytes())),
        Arg::Bytes(bytes) => Address(program.bytes(bytes)),
        Arg::Texts(texts) => {
            let mut list: Vec<_> =
                texts.iter().map(|t| Address(program.bytes(t.as_encoded_bytes()))).collect();
            list.push(Value(0));
            Address(program.words(list))
        }
        Arg::Buffer(size) => Address(program.memory(size.div_ceil(8))),
        Arg::MountAttr(set) => {
            // A kind of propagation is named among the bits but has a field of its own.
            let (propagation, set): (Vec<Flag>, Vec<Flag>) = set.iter().partition(|f| f.0.starts_with("MS_"));
            words(program, &[bits(&set), 0, bits(&propagation), 0])
        }
        Arg::OpenHow(flags, resolve) => words(program, &[bits(flags), 0, bits(resolve)]),
        Arg::Caps(held, inheritable) => {
            let (low, high) = (|n: u64| n & 0xffff_ffff, |n: u64| n >> 32);
            let (held, inh) = (held.bits(), inheritable.bits());
            // Twice effective, permitted, inheritable in 32 bits: the low halves, the high ones.
            words(
                program,
                &[low(held) | low(held) << 32, low(inh) | high(held) << 32, high(held) | high(inh) << 32],
            )
        }
        Arg::Filter(filter) => {
            let code = filter.iter().map(|i| {
                u64::from(i.code) | u64::from(i.jt) << 16 | u64::from(i.jf) << 24 | u64::from(i.k) << 32
            });
            let code = program.words(code.map(Value));
            Address(program.words([Value(filter.len() as u64), Address(code)]))
        }
        Arg::Ids(ids) => {
            let bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_ne_bytes()).collect();
            Address(program.bytes(&bytes))
        }
        Arg::Limit(soft, hard) => words(program, &[soft.unwrap_or(u64::MAX), hard.unwrap_or(u64::MAX)]),
        Arg::Words(_, all) => words(program, all),
    }
}

fn expect(expect: Expect) -> program::Expect {
    use sys::errno::{
        EACCES, EBADF, EDQUOT, EEXIST, EINVAL, ELOOP, ENOENT, ENOSYS, ENOTDIR, EOPNOTSUPP, EPERM, EROFS,
    };
    match expect {
        Expect::Success => program::Expect::Success,
        Expect::Exactly(n) => program::Expect::Exactly(n),
        Expect::OrThere => program::Expect::SuccessOr(&[EEXIST, EROFS]),
        Expect::OrUnreachable => program::Expect::SuccessOr(&[ENOENT, ENOTDIR, ELOOP, EACCES]),
        // EBADF: the descriptor of something that was absent.
        Expect::OrAbsent => program::Expect::SuccessOr(&[ENOENT, ENOTDIR, ELOOP, EBADF]),
        Expect::OrUnlike => program::Expect::SuccessOr(&[ENOENT, ENOTDIR, ELOOP, EBADF, EINVAL]),
        Expect::OrRefused => program::Expect::SuccessOr(&[ENOSYS, EPERM, EOPNOTSUPP, EINVAL, EDQUOT]),
    }
}
