package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"sort"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
)

const namespace = "plant"

// A text with YAML documents.
type file struct {
	name string
	text string
}

// What `helm lint --strict` and `helm template CHART FOLDER --values VALUES` do, for a release that is named like the chart.
func renderChart(folder, valuesFile string) ([]file, error) {
	given := chartutil.Values{}
	if valuesFile != "" {
		read, err := chartutil.ReadValuesFile(valuesFile)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", valuesFile, err)
		}
		given = read
	}
	// The schema speaks first: the linter would say what follows from a wrong value, too.
	rendered, err := render(folder, given)
	if err != nil {
		return nil, err
	}
	return rendered, lintChart(folder, given)
}

func lintChart(folder string, values chartutil.Values) error {
	var found []error
	for _, message := range lint.All(folder, values, namespace, true).Messages {
		if message.Severity >= support.WarningSev {
			found = append(found, message)
		}
	}
	return errors.Join(found...)
}

func render(folder string, given chartutil.Values) ([]file, error) {
	chart, err := loader.Load(folder)
	if err != nil {
		return nil, err
	}
	release := chartutil.ReleaseOptions{Name: chart.Name(), Namespace: namespace, Revision: 1, IsInstall: true}
	values, err := chartutil.ToRenderValues(chart, given, release, nil)
	if err != nil {
		return nil, err
	}
	texts, err := engine.Render(chart, values)
	if err != nil {
		return nil, err
	}
	var files []file
	for name, text := range texts {
		if filepath.Ext(name) == ".yaml" {
			files = append(files, file{name, text})
		}
	}
	sort.Slice(files, func(i, j int) bool { return files[i].name < files[j].name })
	return files, nil
}
