//! From a socket to the platform's door: accept, recognise, verify, decode, call, encode.
