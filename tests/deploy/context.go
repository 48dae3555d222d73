package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// Lists the files of a folder that `docker build` takes into its context: those that .dockerignore lets through.
func listContext(folder string) ([]string, error) {
	ignored, err := readIgnored(filepath.Join(folder, ".dockerignore"))
	if err != nil {
		return nil, err
	}
	files := []string{}
	err = fs.WalkDir(os.DirFS(folder), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		left, err := ignored.MatchesOrParentMatches(path)
		if err == nil && !left {
			files = append(files, path)
		}
		return err
	})
	return files, err
}

func readIgnored(path string) (*patternmatcher.PatternMatcher, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	patterns, err := ignorefile.ReadAll(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	ignored, err := patternmatcher.New(patterns)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return ignored, nil
}
