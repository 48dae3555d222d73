package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// A stage of a Dockerfile.
type stage struct {
	Base         string   `json:"base"`
	Instructions []string `json:"instructions"`
}

// Parses the Dockerfile as `docker build` does. What its linter warns of is an error here.
func checkDockerfile(path string) ([]stage, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	parsed, err := parser.Parse(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var warnings []error
	for _, warning := range parsed.Warnings {
		warnings = append(warnings, errors.New(warning.Short))
	}
	warn := func(rule, _, _, text string, _ []parser.Range) {
		warnings = append(warnings, fmt.Errorf("%s: %s: %s", path, rule, text))
	}
	stages, _, err := instructions.Parse(parsed.AST, linter.New(&linter.Config{Warn: warn}))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var told []stage
	for _, given := range stages {
		next := stage{Base: given.BaseName}
		for _, command := range given.Commands {
			next.Instructions = append(next.Instructions, fmt.Sprint(command))
		}
		told = append(told, next)
	}
	return told, errors.Join(warnings...)
}
