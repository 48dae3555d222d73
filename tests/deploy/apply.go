package main

import (
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	metavalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"
)

// What an API server knows of a kind.
type served struct {
	schema    *structural.Structural
	validator validation.SchemaValidator
}

// The kinds of KubeEdge, served as an API server serves custom resources.
type server map[schema.GroupVersionKind]served

// Answers for each file of a folder, by its name, why `kubectl apply` is refused: an empty text where it is not.
func applyFolder(folder string) (map[string]string, error) {
	server, err := newServer()
	if err != nil {
		return nil, err
	}
	paths, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		return nil, err
	}
	answers := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		answers[filepath.Base(path)] = ""
		if err := server.applyAll(string(text)); err != nil {
			answers[filepath.Base(path)] = err.Error()
		}
	}
	return answers, nil
}

func newServer() (server, error) {
	paths, err := definitions()
	if err != nil {
		return nil, err
	}
	found := server{}
	for _, path := range paths {
		if err := found.read(path); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return found, nil
}

func (s server) read(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var definition apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(text, &definition); err != nil {
		return err
	}
	for _, version := range definition.Spec.Versions {
		var props apiextensions.JSONSchemaProps
		given := version.Schema.OpenAPIV3Schema
		if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(given, &props, nil); err != nil {
			return err
		}
		schemaOf, err := structural.NewStructural(&props)
		if err != nil {
			return err
		}
		validator, _, err := validation.NewSchemaValidator(&props)
		if err != nil {
			return err
		}
		kind := schema.GroupVersionKind{Group: definition.Spec.Group, Version: version.Name, Kind: definition.Spec.Names.Kind}
		s[kind] = served{schemaOf, validator}
	}
	return nil
}

func (s server) applyAll(text string) error {
	documents, err := split(text)
	if err != nil {
		return err
	}
	for _, document := range documents {
		if err := s.apply(document); err != nil {
			return err
		}
	}
	return nil
}

// What kubectl does with a document, and then the API server with `fieldValidation=Strict`, which kubectl asks for.
func (s server) apply(document []byte) error {
	json, err := yaml.YAMLToJSON(document)
	if err != nil {
		return err
	}
	var object unstructured.Unstructured
	if err := object.UnmarshalJSON(json); err != nil {
		return err
	}
	if object.IsList() {
		return object.EachListItem(func(item runtime.Object) error { return s.create(item.(*unstructured.Unstructured)) })
	}
	return s.create(&object)
}

// The order is that of the API server: customresource_handler.go decodes, prunes and sets defaults, and validator.go validates.
func (s server) create(object *unstructured.Unstructured) error {
	served, ok := s[object.GroupVersionKind()]
	if !ok {
		return fmt.Errorf("no matches for kind %s", object.GroupVersionKind())
	}
	unknown, err := served.coerce(object)
	if err != nil {
		return err
	}
	if len(unknown) > 0 {
		return fmt.Errorf("unknown fields %v", unknown)
	}
	defaulting.Default(object.Object, served.schema)
	if object.GetName() == "" {
		return fmt.Errorf("resource name may not be empty")
	}
	if object.GetNamespace() == "" {
		object.SetNamespace("default")
	}
	wrong := metavalidation.ValidateObjectMetaAccessor(object, true, metavalidation.NameIsDNSSubdomain, field.NewPath("metadata"))
	wrong = append(wrong, validation.ValidateCustomResource(nil, object.UnstructuredContent(), served.validator)...)
	wrong = append(wrong, objectmeta.Validate(nil, object.UnstructuredContent(), served.schema, false)...)
	wrong = append(wrong, listtype.ValidateListSetsAndMaps(nil, served.schema, object.UnstructuredContent())...)
	return wrong.ToAggregate()
}

// Prunes what the schema does not name, which it returns, and null where it is not allowed.
func (s served) coerce(object *unstructured.Unstructured) ([]string, error) {
	meta, hasMeta, unknown, err := objectmeta.GetObjectMetaWithOptions(object.Object, objectmeta.ObjectMetaOptions{ReturnUnknownFieldPaths: true})
	if err != nil {
		return nil, err
	}
	kind, version := object.GetKind(), object.GetAPIVersion()
	options := structural.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}
	unknown = append(unknown, pruning.PruneWithOptions(object.Object, s.schema, true, options)...)
	defaulting.PruneNonNullableNullsWithoutDefaults(object.Object, s.schema)
	wrong, more := objectmeta.CoerceWithOptions(nil, object.Object, s.schema, false, objectmeta.CoerceOptions{ReturnUnknownFieldPaths: true})
	if wrong != nil {
		return nil, wrong
	}
	object.SetKind(kind)
	object.SetAPIVersion(version)
	if hasMeta {
		err = objectmeta.SetObjectMeta(object.Object, meta)
	}
	return append(unknown, more...), err
}
