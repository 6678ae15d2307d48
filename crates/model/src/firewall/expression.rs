//! What rules are made of: the instructions of nf_tables that jaula uses.

use super::message::Attributes;

/// A register by the number of its first four bytes (`NFT_REG32_…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register(pub u32);

impl Register {
    fn number(self) -> u32 {
        // NFT_REG32_00
        8 + self.0
    }
}

/// Where an offset into a packet counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// The frame's (`NFT_PAYLOAD_LL_HEADER`).
    Link = 0,
    /// IP's or ARP's.
    Network = 1,
    /// That of TCP, UDP, ICMP.
    Transport = 2,
}

/// What is known of a packet beside its bytes (`NFT_META_…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meta {
    /// The type of what the frame carries.
    Protocol = 1,
    /// The interface that it came in by.
    InName = 6,
    /// The number of its family.
    Family = 15,
    /// TCP, UDP, ICMP, whatever comes before it.
    Transport = 16,
}

/// What is known of its connection (`NFT_CT_…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// Translated or not: bits.
    Status = 2,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Accept,
    /// It is gone.
    Drop,
    /// Another chain decides, and then the next rule.
    Jump(&'static str),
}

/// One instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// Loads what is known of a packet.
    Meta(Meta, Register),
    /// Loads bytes of it: offset and length.
    Payload(Header, u32, u32, Register),
    /// Loads what is known of its connection.
    Connection(Connection, Register),
    /// Loads the kind of its destination: of the host, of others.
    Destination(Register),
    /// Leaves only those bits.
    Mask(Register, Vec<u8>),
    /// Goes on only if it is, or is not, that.
    Compare(Register, bool, Vec<u8>),
    /// Goes on only if it is, or is not, in that set.
    Among(Register, bool, &'static str),
    /// Loads what the map has for it, or does not go on.
    Map(Register, &'static str, Register),
    /// The destination becomes that: an address and a port behind it, of IPv6 or IPv4.
    ForwardTo(bool),
    /// The source becomes that address, of IPv6 or IPv4.
    ComeFrom(bool),
    /// The source becomes the address of the interface that it leaves by.
    Masquerade,
    /// Goes on only with more connections than that.
    MoreConnections(u32),
    /// The end.
    Verdict(Verdict),
}

impl Expression {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Meta(..) => "meta",
            Self::Payload(..) => "payload",
            Self::Connection(..) => "ct",
            Self::Destination(_) => "fib",
            Self::Mask(..) => "bitwise",
            Self::Compare(..) => "cmp",
            Self::Among(..) | Self::Map(..) => "lookup",
            Self::ForwardTo(_) | Self::ComeFrom(_) => "nat",
            Self::Masquerade => "masq",
            Self::MoreConnections(_) => "connlimit",
            Self::Verdict(_) => "immediate",
        }
    }

    pub(super) fn attributes(&self, a: &mut Attributes) {
        let first = Register(0);
        // NFPROTO_IPV6, NFPROTO_IPV4
        let family = |six: bool| if six { 10 } else { 2 };
        match self {
            Self::Meta(key, into) => {
                a.number(1, into.number()).number(2, *key as u32);
            }
            Self::Payload(header, offset, length, into) => {
                a.number(1, into.number()).number(2, *header as u32).number(3, *offset).number(4, *length);
            }
            Self::Connection(key, into) => {
                a.number(1, into.number()).number(2, *key as u32);
            }
            // NFT_FIB_RESULT_ADDRTYPE, NFTA_FIB_F_DADDR
            Self::Destination(into) => {
                a.number(1, into.number()).number(2, 3).number(3, 2);
            }
            Self::Mask(register, mask) => {
                let length = u32::try_from(mask.len()).unwrap_or(u32::MAX);
                a.number(1, register.number()).number(2, register.number()).number(3, length);
                a.data(4, mask).data(5, &vec![0; mask.len()]);
            }
            Self::Compare(register, equal, value) => {
                a.number(1, register.number()).number(2, u32::from(!equal)).data(3, value);
            }
            Self::Among(register, is, set) => {
                a.text(1, set).number(2, register.number());
                if !is {
                    // NFT_LOOKUP_F_INV
                    a.number(5, 1);
                }
            }
            Self::Map(register, map, into) => {
                a.text(1, map).number(2, register.number()).number(3, into.number());
            }
            Self::ForwardTo(six) => {
                let port = Register(if *six { 4 } else { 1 });
                a.number(1, 1).number(2, family(*six));
                a.number(3, first.number()).number(5, port.number());
            }
            Self::ComeFrom(six) => {
                a.number(1, 0).number(2, family(*six)).number(3, first.number());
            }
            Self::Masquerade => {}
            Self::MoreConnections(most) => {
                // NFT_CONNLIMIT_F_INV: over, and not up to.
                a.number(1, *most).number(2, 1);
            }
            Self::Verdict(verdict) => {
                let (code, chain) = match verdict {
                    Verdict::Drop => (0, None),
                    Verdict::Accept => (1, None),
                    Verdict::Jump(chain) => ((-3_i32).cast_unsigned(), Some(chain)),
                };
                // The register of verdicts is 0.
                a.number(1, 0).nested(2, |a| {
                    a.nested(2, |a| {
                        a.number(1, code);
                        if let Some(chain) = chain {
                            a.text(2, chain);
                        }
                    });
                });
            }
        }
    }
}
