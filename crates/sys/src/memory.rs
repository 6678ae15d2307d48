//! Memory for commands that are over in two milliseconds.
//!
//! What such a command allocates comes from one piece that the program has from its start: no
//! system call, few pages, and none that is touched twice for nothing. What does not fit comes
//! from the C library.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a start takes at its most, twice. Pages that nobody touches cost nothing.
const SIZE: usize = 256 * 1024;
/// Blocks are multiples of this, and aligned to it.
const GRAIN: usize = 16;
/// Larger blocks are rare, and better given back to the system.
const LARGEST: usize = 64 * 1024;
/// Sizes: the multiples of a grain up to 16 of them, then four in each doubling.
const CLASSES: usize = 16 + 4 * 8;

/// An allocator that takes from its own piece first. Freed blocks are kept for their size.
#[derive(Debug)]
#[repr(C)]
pub struct Memory {
    busy: AtomicBool,
    heap: UnsafeCell<Heap>,
}

// SAFETY: `heap` is only reached by whoever has set `busy`.
unsafe impl Sync for Memory {}

/// What is written at each call stands before what is given out first, and so in the same page.
#[repr(C)]
struct Heap {
    /// How much of `piece` was ever given out.
    used: usize,
    /// For each class a list of freed blocks: the first, which holds the address of the next.
    free: [*mut u8; CLASSES],
    piece: Piece,
}

#[repr(C, align(16))]
struct Piece([u8; SIZE]);

impl std::fmt::Debug for Heap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Heap").field("used", &self.used).finish_non_exhaustive()
    }
}

impl Memory {
    /// All of it free.
    #[expect(clippy::new_without_default, reason = "a default is no constant")]
    pub const fn new() -> Self {
        let heap = Heap { used: 0, free: [std::ptr::null_mut(); CLASSES], piece: Piece([0; SIZE]) };
        Self { busy: AtomicBool::new(false), heap: UnsafeCell::new(heap) }
    }

    /// Takes the heap alone. No code of others runs while it is taken.
    fn alone<T>(&self, act: impl FnOnce(&mut Heap) -> T) -> T {
        while self.busy.swap(true, Ordering::Acquire) {
            std::hint::spin_loop();
        }
        // SAFETY: `busy` was not set, so that nobody else has it until it is set back.
        let done = act(unsafe { &mut *self.heap.get() });
        self.busy.store(false, Ordering::Release);
        done
    }

    fn owns(&self, block: *mut u8) -> bool {
        let piece = self.heap.get().addr() + std::mem::offset_of!(Heap, piece);
        (piece..piece + SIZE).contains(&block.addr())
    }
}

/// The class of a size, and how large its blocks are.
fn class(size: usize) -> (usize, usize) {
    let grains = size.div_ceil(GRAIN).max(1);
    if grains <= 16 {
        return (grains - 1, grains * GRAIN);
    }
    // Four steps from each power of two to the next.
    let power = (grains - 1).ilog2();
    let step = 1 << (power - 2);
    let steps = (grains - 1) / step;
    let index = 16 + (power as usize - 4) * 4 + (steps - 4);
    (index, (steps + 1) * step * GRAIN)
}

impl Heap {
    fn take(&mut self, size: usize) -> *mut u8 {
        let (class, size) = class(size);
        let first = self.free[class];
        if !first.is_null() {
            // SAFETY: a block on a list is one of ours, aligned, that nobody uses; its first word
            // is the address of the next.
            self.free[class] = unsafe { first.cast::<*mut u8>().read() };
            return first;
        }
        match self.piece.0.get_mut(self.used..self.used + size) {
            Some(block) => {
                self.used += size;
                block.as_mut_ptr()
            }
            None => std::ptr::null_mut(),
        }
    }

    fn give_back(&mut self, block: *mut u8, size: usize) {
        let (class, size) = class(size);
        if block.addr() + size == self.piece.0.as_ptr().addr() + self.used {
            self.used -= size;
            return;
        }
        // SAFETY: the block was given out by `take`, is aligned and large enough for an address, and
        // whoever had it is done with it.
        unsafe { block.cast::<*mut u8>().write(self.free[class]) };
        self.free[class] = block;
    }

    /// Makes the last block that was given out larger, where it is.
    fn grow(&mut self, block: *mut u8, old: usize, new: usize) -> bool {
        let (old, new) = (class(old).1, class(new).1);
        let last = block.addr() + old == self.piece.0.as_ptr().addr() + self.used;
        let fits = old == new || new > old && last && self.used - old + new <= SIZE;
        if fits {
            self.used += new - old;
        }
        fits
    }
}

// SAFETY: blocks are as large and aligned as asked for, and in use by one caller only: those of
// the piece by `Heap`, which only one thread reaches at a time, all others by the system's word.
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() <= LARGEST && layout.align() <= GRAIN {
            let block = self.alone(|heap| heap.take(layout.size()));
            if !block.is_null() {
                return block;
            }
        }
        // SAFETY: as the caller says.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if self.owns(block) {
            self.alone(|heap| heap.give_back(block, layout.size()));
        } else {
            // SAFETY: what is not ours was the system's.
            unsafe { System.dealloc(block, layout) }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !self.owns(block) {
            // SAFETY: what is not ours was the system's.
            return unsafe { System.realloc(block, layout, size) };
        }
        if size <= LARGEST && self.alone(|heap| heap.grow(block, layout.size(), size)) {
            return block;
        }
        // SAFETY: the caller's alignment with a size that it asks for; the old block is of the old
        // size and still its own, and no block of the system's lies in ours.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                std::ptr::copy_nonoverlapping(block, new, layout.size().min(size));
                self.dealloc(block, layout);
            }
            new
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_has_a_class_that_holds_it() {
        let mut last = (0, 0);
        for size in 0..=LARGEST {
            let (index, block) = class(size);
            assert!(index < CLASSES && block >= size && block % GRAIN == 0, "{size}: {index} {block}");
            assert!(block <= size + size / 4 + GRAIN, "{size} takes {block}");
            assert!((index, block) == last || index > last.0 && block > last.1 || size == 0, "{size}");
            last = (index, block);
        }
    }

    /// Blocks never overlap, keep what is in them, and come from the system when the piece is full.
    #[test]
    fn blocks_are_their_owners() {
        static MEMORY: Memory = Memory::new();
        let mut held: Vec<(*mut u8, Layout, u8)> = Vec::new();
        let mut random = 12345u32;
        let mut next = || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            usize::try_from(random >> 8).unwrap()
        };
        for round in 0..20_000 {
            let mark = u8::try_from(round % 251).unwrap();
            let size = 1 + next() % if round % 50 == 0 { 40_000 } else { 700 };
            let check = |(block, layout, mark): (*mut u8, Layout, u8)| {
                // SAFETY: a block of this allocator, which is as large and filled with its mark.
                let bytes = unsafe { std::slice::from_raw_parts(block, layout.size()) };
                assert!(bytes.iter().all(|byte| *byte == mark));
            };
            // SAFETY: sizes are not 0; each block is freed or moved once, with its own layout.
            unsafe {
                match next() % 3 {
                    0 if !held.is_empty() => {
                        let old = held.swap_remove(next() % held.len());
                        check(old);
                        MEMORY.dealloc(old.0, old.1);
                    }
                    1 if !held.is_empty() => {
                        let old = held.swap_remove(next() % held.len());
                        let block = MEMORY.realloc(old.0, old.1, size);
                        let kept = std::slice::from_raw_parts(block, size.min(old.1.size()));
                        assert!(kept.iter().all(|byte| *byte == old.2));
                        block.write_bytes(mark, size);
                        held.push((block, Layout::from_size_align(size, old.1.align()).unwrap(), mark));
                    }
                    _ => {
                        let layout = Layout::from_size_align(size, 1 << (next() % 7)).unwrap();
                        let block = MEMORY.alloc(layout);
                        assert_eq!(block.addr() % layout.align(), 0);
                        block.write_bytes(mark, size);
                        held.push((block, layout, mark));
                    }
                }
            }
        }
        assert!(held.iter().any(|block| MEMORY.owns(block.0)));
        assert!(held.iter().any(|block| !MEMORY.owns(block.0)));
        for block in held {
            // SAFETY: as above.
            unsafe { MEMORY.dealloc(block.0, block.1) };
        }
    }
}
