// Checks what deploys a mapper, with the code that will read it: Helm's, BuildKit's, and the types and schemas of Kubernetes and
// KubeEdge. It prints what it has understood as JSON, or what is wrong.
//
// Usage:
//
//	deploy-check chart FOLDER [VALUES]  lints the chart, and checks and prints what it renders
//	deploy-check manifests FILE...      checks and prints their documents
//	deploy-check apply FOLDER           prints for each file why "kubectl apply" would be refused, or nothing
//	deploy-check dockerfile FILE        checks it, and prints its stages
//	deploy-check context FOLDER         prints the files that an image is built from
//
// KubeEdge's resource definitions lie in the folder `crds` beside the program.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

var errUsage = errors.New("usage: deploy-check chart FOLDER [VALUES] | manifests FILE... | apply FOLDER | dockerfile FILE | context FOLDER")

func main() {
	answer, err := run(os.Args[1:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(answer)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) (any, error) {
	if len(args) < 2 {
		return nil, errUsage
	}
	switch command, args := args[0], args[1:]; {
	case command == "chart" && len(args) == 1:
		return renderAndCheck(args[0], "")
	case command == "chart" && len(args) == 2:
		return renderAndCheck(args[0], args[1])
	case command == "manifests":
		return checkFiles(args)
	case command == "apply" && len(args) == 1:
		return applyFolder(args[0])
	case command == "dockerfile" && len(args) == 1:
		return checkDockerfile(args[0])
	case command == "context" && len(args) == 1:
		return listContext(args[0])
	default:
		return nil, errUsage
	}
}

func renderAndCheck(folder, valuesFile string) ([]document, error) {
	files, err := renderChart(folder, valuesFile)
	if err != nil {
		return nil, err
	}
	return checkDocuments(files)
}

func checkFiles(paths []string) ([]document, error) {
	var files []file
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		files = append(files, file{path, string(text)})
	}
	return checkDocuments(files)
}
