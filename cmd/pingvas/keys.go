package main

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// derive returns the key for one purpose from the master key (HKDF, RFC 5869).
func derive(master []byte, purpose string) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, master, nil, "pingvas "+purpose, masterKeyBytes)
	if err != nil {
		return nil, fmt.Errorf("derive the key for %s: %w", purpose, err)
	}
	return key, nil
}

// secretFile returns the secret in a file of the data folder, and makes one at the first start.
func secretFile(dir, name string) (string, error) {
	path := filepath.Join(dir, name)
	text, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(text)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the secret %s: %w", name, err)
	}
	secret := make([]byte, masterKeyBytes)
	if _, err := rand.Read(secret); err != nil {
		return "", fmt.Errorf("draw the secret %s: %w", name, err)
	}
	fresh := hex.EncodeToString(secret)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", fmt.Errorf("create the secret %s: %w", name, err)
	}
	_, errWrite := file.WriteString(fresh + "\n")
	if err := errors.Join(errWrite, file.Sync(), file.Close()); err != nil {
		return "", fmt.Errorf("write the secret %s: %w", name, err)
	}
	return fresh, nil
}
