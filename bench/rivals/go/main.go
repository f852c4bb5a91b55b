// Builds an RFC 6962 tree over leaf hashes that every rival makes in the same way, on one core, and prints how long that took.
//
//	rivals tlog|transparency-dev <leaves>
package main

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"
)

// leafHash fills 32 bytes that stand for the hash of leaf i.
func leafHash(i uint32, out []byte) {
	for j := uint32(0); j < 8; j++ {
		binary.LittleEndian.PutUint32(out[4*j:], i*0x9e3779b1+j*0x85ebca77)
	}
}

// withTlog hashes level by level in place; a node without a right neighbour stands for itself one level above.
func withTlog(leaves []byte) func() []byte {
	hashes := make([]tlog.Hash, len(leaves)/32)
	for i := range hashes {
		copy(hashes[i][:], leaves[32*i:])
	}
	return func() []byte {
		for n := len(hashes); n > 1; n = (n + 1) / 2 {
			for i := 0; i+1 < n; i += 2 {
				hashes[i/2] = tlog.NodeHash(hashes[i], hashes[i+1])
			}
			if n%2 == 1 {
				hashes[n/2] = hashes[n-1]
			}
		}
		return hashes[0][:]
	}
}

// withCompactRange appends leaf by leaf, as the library is used.
func withCompactRange(leaves []byte) func() []byte {
	factory := &compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	return func() []byte {
		tree := factory.NewEmptyRange(0)
		for at := 0; at < len(leaves); at += 32 {
			if err := tree.Append(leaves[at:at+32], nil); err != nil {
				panic(err)
			}
		}
		root, err := tree.GetRootHash(nil)
		if err != nil {
			panic(err)
		}
		return root
	}
}

// peakKiB is the most memory that this program had, not the one that started it; 0 where nothing tells.
func peakKiB() int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(status), "\n") {
		if rest, found := strings.CutPrefix(line, "VmHWM:"); found {
			kib, _ := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(rest, "kB")))
			return kib
		}
	}
	return 0
}

func run() error {
	if len(os.Args) != 3 {
		return fmt.Errorf("usage: rivals tlog|transparency-dev <leaves>")
	}
	count, err := strconv.Atoi(os.Args[2])
	if err != nil {
		return err
	}
	leaves := make([]byte, 32*count)
	for i := 0; i < count; i++ {
		leafHash(uint32(i), leaves[32*i:])
	}
	prepare, known := map[string]func([]byte) func() []byte{
		"tlog":             withTlog,
		"transparency-dev": withCompactRange,
	}[os.Args[1]]
	if !known {
		return fmt.Errorf("there is no rival %s", os.Args[1])
	}
	build := prepare(leaves)
	started := time.Now()
	root := build()
	seconds := time.Since(started).Seconds()
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"seconds": seconds,
		"root":    hex.EncodeToString(root),
		"peakKiB": peakKiB(),
	})
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
