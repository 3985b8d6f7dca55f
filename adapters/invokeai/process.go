package invokeai

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// processName is in the command line of the server.
const processName = "invokeai-web"

// residentBytes returns the memory of the server's process, where the worker sees it: on the same machine, or in a pod
// that shares its process ids. Elsewhere it is 0.
func residentBytes() int64 {
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return 0
	}
	for _, path := range commands {
		line, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(line, []byte(processName)) {
			continue
		}
		return residentOf(filepath.Dir(path))
	}
	return 0
}

func residentOf(folder string) int64 {
	text, err := os.ReadFile(filepath.Join(folder, "statm"))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
