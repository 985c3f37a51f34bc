//! The whole platform on simulated time, disk and chance.
