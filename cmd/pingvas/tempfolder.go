package main

import (
	"fmt"
	"os"
)

// tempFolder makes a data folder for an instance that is gone when the command ends.
func tempFolder(purpose string) (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp("", "pingvas-"+purpose+"-")
	if err != nil {
		return "", nil, fmt.Errorf("create a data folder: %w", err)
	}
	remove = func() { _ = os.RemoveAll(dir) }
	if err := os.Chmod(dir, 0o711); err != nil { // the database's own user must be able to pass through
		remove()
		return "", nil, fmt.Errorf("open the data folder: %w", err)
	}
	return dir, remove, nil
}
