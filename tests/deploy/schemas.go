package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// The schemas of KubeEdge's custom resources.
type schemas map[schema.GroupVersionKind]*jsonschema.Schema

// As much of a CustomResourceDefinition as holds schemas.
type definition struct {
	Spec struct {
		Group    string
		Names    struct{ Kind string }
		Versions []struct {
			Name   string
			Schema struct{ OpenAPIV3Schema map[string]any }
		}
	}
}

func readSchemas() (schemas, error) {
	paths, err := definitions()
	if err != nil {
		return nil, err
	}
	found := schemas{}
	for _, path := range paths {
		if err := found.read(path); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return found, nil
}

// The files of KubeEdge's resource definitions.
func definitions() ([]string, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(filepath.Dir(program), "crds")
	paths, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("there are no resource definitions in %s", folder)
	}
	return paths, nil
}

func (s schemas) read(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var definition definition
	if err := yaml.Unmarshal(text, &definition); err != nil {
		return err
	}
	for _, version := range definition.Spec.Versions {
		compiler := jsonschema.NewCompiler()
		if err := compiler.AddResource(path, toJSONSchema(version.Schema.OpenAPIV3Schema)); err != nil {
			return err
		}
		compiled, err := compiler.Compile(path)
		if err != nil {
			return err
		}
		spec := definition.Spec
		s[schema.GroupVersionKind{Group: spec.Group, Version: version.Name, Kind: spec.Names.Kind}] = compiled
	}
	return nil
}

// A structural schema is a JSON schema but for these: the API server prunes what is not named, which is a mistake here, and has
// a type of its own for what may be a number or a text.
func toJSONSchema(node map[string]any) map[string]any {
	converted := map[string]any{}
	for key, value := range node {
		switch key {
		case "properties":
			properties := map[string]any{}
			for name, property := range value.(map[string]any) {
				properties[name] = toJSONSchema(property.(map[string]any))
			}
			converted[key] = properties
		case "items", "additionalProperties":
			if nested, ok := value.(map[string]any); ok {
				value = toJSONSchema(nested)
			}
			converted[key] = value
		case "type", "enum", "required", "minimum", "maximum", "minItems", "minLength", "maxLength", "pattern":
			converted[key] = value
		}
	}
	_, closed := converted["properties"]
	_, open := converted["additionalProperties"]
	if closed && !open && node["x-kubernetes-preserve-unknown-fields"] != true && node["x-kubernetes-embedded-resource"] != true {
		converted["additionalProperties"] = false
	}
	if node["x-kubernetes-int-or-string"] == true {
		converted["type"] = []any{"integer", "string"}
	}
	return converted
}

// Checks a custom resource; the kinds of Kubernetes have no definition.
func (s schemas) check(kind schema.GroupVersionKind, written document) error {
	schema, ok := s[kind]
	if !ok {
		return nil
	}
	// Its types are the validator's.
	content := map[string]any(written)
	return schema.Validate(content)
}
