// Package porttest gives tests ports for servers that they start later.
package porttest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
)

// Ports lie below those from which systems take the local ports of connections: else a client that tries to reach a
// server which is down could be given the server's own.
const (
	portMin  = 20000
	portMax  = 30000
	triesMax = 1000
)

// first is random, so that tests of other packages, which run beside, draw others.
var (
	first = rand.Uint32N(portMax - portMin)
	drawn atomic.Uint32
)

// Free returns a port of the local host that nobody listens on. No other test of the process gets it.
func Free(t testing.TB) int {
	t.Helper()
	for range triesMax {
		port := portMin + int((first+drawn.Add(1))%(portMax-portMin))
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			_ = listener.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// Addr is Free as an address.
func Addr(t testing.TB) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", Free(t))
}
