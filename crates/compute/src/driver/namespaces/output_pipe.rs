//! The platform's end of a sandbox's output: read as it comes, and to its present end when asked.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};

use tokio::io::unix::AsyncFd;

use super::watched::watched;
use crate::output::OutputSink;

/// Bytes read at once: what the kernel's pipe holds.
const READ_BYTES: usize = 64 * 1024;

pub(super) struct OutputPipe {
    pipe: AsyncFd<OwnedFd>,
    sink: Arc<dyn OutputSink>,
    /// Held from a read to the end of its delivery, so that order is kept.
    order: Mutex<Vec<u8>>,
}

impl OutputPipe {
    pub(super) fn new(pipe: OwnedFd, sink: Arc<dyn OutputSink>) -> io::Result<Arc<Self>> {
        rustix::io::ioctl_fionbio(&pipe, true)?;
        Ok(Arc::new(Self { pipe: watched(pipe)?, sink, order: Mutex::default() }))
    }

    /// Delivers until all writers are gone.
    pub(super) fn pump(self: &Arc<Self>) -> impl Future<Output = ()> + Send + use<> {
        let this = self.clone();
        async move {
            loop {
                let Ok(mut guard) = this.pipe.readable().await else { return };
                // Its end, or an error; that there is nothing yet is neither.
                if let Ok(Ok(0) | Err(_)) = guard.try_io(|_| this.read_once()) {
                    return;
                }
            }
        }
    }

    /// Delivers what has been written until now. What a function writes without end is left to the pump.
    pub(super) fn drain(&self) {
        const ROUNDS_MAX: usize = 16;
        for _ in 0..ROUNDS_MAX {
            if !matches!(self.read_once(), Ok(1..)) {
                return;
            }
        }
    }

    fn read_once(&self) -> io::Result<usize> {
        let mut buffer = self.order.lock().expect("no code panics while it holds this lock");
        buffer.resize(READ_BYTES, 0);
        let read = loop {
            match rustix::io::read(self.pipe.get_ref(), &mut buffer[..]) {
                Err(rustix::io::Errno::INTR) => {}
                other => break other?,
            }
        };
        self.sink.write(&buffer[..read]);
        Ok(read)
    }
}
