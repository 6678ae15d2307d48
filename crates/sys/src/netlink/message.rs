//! Netlink messages as bytes (the kernel's `Documentation/userspace-api/netlink/intro.rst`): made, and taken apart.

/// The length of a message's head, `struct nlmsghdr`.
pub(super) const HEAD: usize = 16;

/// `NLA_F_NESTED`, and the bits of a type that are the type.
const NESTED: u16 = 0x8000;
const TYPE: u16 = 0x3fff;

/// Messages that are sent in one call, and what each is called in an error.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub(super) bytes: Vec<u8>,
    pub(super) called: Vec<String>,
}

impl Batch {
    /// One more message: its type and flags, the head of its family, and what `fill` adds. `called` names it in an
    /// error: what it does, to what. It is acknowledged (`NLM_F_ACK`).
    pub fn add(
        &mut self,
        kind: u16,
        flags: u16,
        called: impl Into<String>,
        head: &[u8],
        fill: impl FnOnce(&mut Attributes<'_>),
    ) {
        let start = self.bytes.len();
        let number = u32::try_from(self.called.len()).unwrap_or(u32::MAX);
        self.bytes.extend(0_u32.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend((flags | super::REQUEST | super::ACK).to_ne_bytes());
        // Its number in the batch tells what an answer is to.
        self.bytes.extend(number.to_ne_bytes());
        self.bytes.extend(0_u32.to_ne_bytes());
        self.bytes.extend(head);
        pad(&mut self.bytes);
        fill(&mut Attributes(&mut self.bytes));
        let length = u32::try_from(self.bytes.len() - start).unwrap_or(u32::MAX);
        self.bytes[start..start + 4].copy_from_slice(&length.to_ne_bytes());
        self.called.push(called.into());
    }

    /// Is there nothing in it?
    pub fn is_empty(&self) -> bool {
        self.called.is_empty()
    }
}

/// The attributes of a message that is being made.
#[derive(Debug)]
pub struct Attributes<'a>(&'a mut Vec<u8>);

impl Attributes<'_> {
    /// An attribute of these bytes.
    pub fn bytes(&mut self, kind: u16, value: &[u8]) {
        let length = u16::try_from(value.len() + 4).expect("attributes are short");
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        pad(self.0);
    }

    /// A text, with the NUL at its end.
    pub fn text(&mut self, kind: u16, value: &str) {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.bytes(kind, &bytes);
    }

    /// A number of 32 bits.
    pub fn number(&mut self, kind: u16, value: u32) {
        self.bytes(kind, &value.to_ne_bytes());
    }

    /// Attributes in an attribute.
    pub fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Attributes<'_>)) {
        self.nest_with(kind, &[], fill);
    }

    /// The same, with bytes before them.
    pub fn nest_with(&mut self, kind: u16, head: &[u8], fill: impl FnOnce(&mut Attributes<'_>)) {
        let start = self.0.len();
        self.0.extend(0_u16.to_ne_bytes());
        self.0.extend((kind | NESTED).to_ne_bytes());
        self.0.extend(head);
        pad(self.0);
        fill(&mut Attributes(self.0));
        let length = u16::try_from(self.0.len() - start).expect("attributes are short");
        self.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
    }
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// A message that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Its type.
    pub kind: u16,
    /// Its flags.
    pub flags: u16,
    /// The number of what it answers.
    pub number: u32,
    /// What follows its head.
    pub body: &'a [u8],
}

/// The messages in what one receive gave. A length that cannot be ends them.
pub fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let length = usize::try_from(u32_at(bytes, 0)?).ok()?;
        let body = bytes.get(HEAD..length)?;
        let message =
            Message { kind: u16_at(bytes, 4)?, flags: u16_at(bytes, 6)?, number: u32_at(bytes, 8)?, body };
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    })
}

/// The attributes in these bytes, by type. A length that cannot be ends them.
pub fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        let value = bytes.get(4..length)?;
        let kind = u16_at(bytes, 2)? & TYPE;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The first attribute of this type.
pub fn attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(k, _)| *k == kind).map(|(_, value)| value)
}

/// A text, up to its NUL.
pub fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value.split(|b| *b == 0).next().unwrap_or_default()).into_owned()
}

/// A number of 16 bits at this place.
pub fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// A number of 32 bits at this place.
pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_read() {
        let mut batch = Batch::default();
        batch.add(16, 0x600, "one", &[1, 2, 3, 4], |m| {
            m.text(3, "eth0");
            m.nest(18, |m| {
                m.text(1, "veth");
                m.nest(2, |m| m.nest_with(1, &[9; 16], |m| m.number(4, 1500)));
            });
        });
        batch.add(24, 0, "two", &[5; 12], |_| {});
        let all: Vec<Message<'_>> = messages(&batch.bytes).collect();
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].kind, all[0].flags, all[0].number), (16, 0x605, 0));
        assert_eq!((all[1].kind, all[1].number, all[1].body), (24, 1, &[5; 12][..]));
        let body = &all[0].body[4..];
        assert_eq!(text(attribute(body, 3).unwrap()), "eth0");
        let data = attribute(attribute(body, 18).unwrap(), 2).unwrap();
        let peer = attribute(data, 1).unwrap();
        assert_eq!(peer[..16], [9; 16]);
        assert_eq!(u32_at(attribute(&peer[16..], 4).unwrap(), 0), Some(1500));
    }

    /// Every text that begins as one of ours and goes on otherwise.
    #[test]
    fn no_bytes_panic_or_loop() {
        let mut batch = Batch::default();
        batch.add(16, 0, "x", &[0; 16], |m| m.nest(2, |m| m.text(1, "abc")));
        let mut seed = 1_u64;
        for round in 0..20_000_usize {
            let mut bytes = batch.bytes.clone();
            bytes.truncate(round % (bytes.len() + 1));
            for _ in 0..round % 7 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let [at, value, ..] = (seed >> 24).to_le_bytes().map(usize::from);
                let [.., low, _, _, _] = seed.to_le_bytes();
                if let Some(byte) = bytes.get_mut((at + value) % batch.bytes.len()) {
                    *byte = low;
                }
            }
            let mut count = 0;
            for message in messages(&bytes) {
                count += 1 + attributes(message.body.get(16..).unwrap_or_default()).count();
            }
            assert!(count <= bytes.len(), "each takes some of it");
        }
    }
}
