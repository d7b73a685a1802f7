package quipu

// Version is that of this client; a server of the same major version answers it.
const Version = "0.1.0"
