//! The modules of the source: what each defines, imports and names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use proc_macro2::{Span, TokenStream};
use syn::ext::IdentExt;
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, Item, ItemMod, ItemUse, Lit, Meta, Stmt, UseTree, Visibility};

use super::tokens::{TokenPath, paths, paths_in_string, paths_in_strings};

/// The names of the library in paths: its own, and that of the crate whose modules it passes on.
pub(super) const CRATES: [&str; 2] = ["cosmos_tail", "cosmos_tail_documents"];

pub(super) type ModuleId = usize;

/// The module of `src/lib.rs`.
pub(super) const LIBRARY: ModuleId = 0;

/// All modules of the library and of the program, and every path that they contain.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub modules: Vec<Module>,
    pub references: Vec<Reference>,
    /// A parsed file is the file of at least one module.
    pub files: Vec<String>,
}

/// A module, or a block with items of its own.
#[derive(Debug)]
pub(super) struct Module {
    pub parent: Option<ModuleId>,
    /// `lib` and `main` for the roots; none for a block.
    pub name: Option<String>,
    /// Its number in [`Tree::files`].
    pub file: usize,
    pub children: BTreeMap<String, ModuleId>,
    pub names: BTreeMap<String, Vec<Name>>,
    /// The paths of its `use …::*`.
    pub globs: Vec<Vec<String>>,
    /// The single names in it, of which only the first mention is a [`Reference`].
    mentions: BTreeSet<String>,
}

/// What a name in a module means.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Name {
    /// An item that the module defines.
    Item,
    /// An item of this path, imported by a `use`.
    Import(Vec<String>),
    /// An item of another crate, imported by `use ::…`.
    External,
}

/// A path in the source.
#[derive(Debug)]
pub(super) struct Reference {
    pub module: ModuleId,
    pub line: usize,
    pub form: Form,
    pub segments: Vec<String>,
    /// As it is written, with the elements of a group apart.
    pub written: String,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Form {
    Use,
    UseGlob,
    /// A `use` with a visibility: the module passes the name on.
    PublicUse,
    /// Written out in an expression, type, pattern, bound, attribute or macro.
    Path,
}

impl Tree {
    /// The modules that are declared from `src/lib.rs` and `src/main.rs` on. `text` returns the content
    /// of a file, if there is one.
    pub(super) fn read(text: &dyn Fn(&str) -> Option<String>) -> Self {
        let mut tree = Self::default();
        for root in ["lib", "main"] {
            let file = format!("src/{root}.rs");
            if let Some(content) = text(&file) {
                let module = tree.add_module(None, Some(root.to_owned()), file);
                tree.parse(module, &content, PathBuf::from("src"), text);
            }
        }
        // Its modules are the library's too, which passes them on.
        if let Some(content) = text("documents/src/lib.rs") {
            tree.files.push("documents/src/lib.rs".to_owned());
            tree.parse(LIBRARY, &content, PathBuf::from("documents/src"), text);
        }
        tree
    }

    /// The file that a module is written in.
    pub(super) fn file(&self, module: ModuleId) -> &str {
        &self.files[self.modules[module].file]
    }

    /// The module itself, or the one around a block.
    pub(super) fn named(&self, mut module: ModuleId) -> ModuleId {
        while self.modules[module].name.is_none() {
            module = self.modules[module].parent.unwrap();
        }
        module
    }

    pub(super) fn root(&self, module: ModuleId) -> ModuleId {
        self.modules[module]
            .parent
            .map_or(module, |parent| self.root(parent))
    }

    /// The top-level module that a module belongs to; `lib` and `main` for what is in these files.
    pub(super) fn top_level(&self, module: ModuleId) -> &str {
        let module = self.named(module);
        match self.modules[module].parent {
            Some(parent) if parent != LIBRARY => self.top_level(parent),
            _ => self.modules[module].name.as_deref().unwrap(),
        }
    }

    /// `module` lies in `ancestor`, at any depth.
    pub(super) fn is_below(&self, module: ModuleId, ancestor: ModuleId) -> bool {
        self.modules[module]
            .parent
            .is_some_and(|parent| parent == ancestor || self.is_below(parent, ancestor))
    }

    /// The module, or a block of it around this one, has the name by a definition or a `use` of its own.
    pub(super) fn has_name(&self, module: ModuleId, name: &str) -> bool {
        let scope = &self.modules[module];
        let is_here = scope.children.contains_key(name) || scope.names.contains_key(name);
        let around = scope.parent.filter(|_| scope.name.is_none());
        is_here || around.is_some_and(|parent| self.has_name(parent, name))
    }

    pub(super) fn defines_items(&self, module: ModuleId) -> bool {
        let mut meanings = self.modules[module].names.values().flatten();
        meanings.any(|meaning| *meaning == Name::Item)
    }

    fn add_module(
        &mut self,
        parent: Option<ModuleId>,
        name: Option<String>,
        file: String,
    ) -> ModuleId {
        let known = self.files.iter().position(|other| *other == file);
        let file = known.unwrap_or_else(|| {
            self.files.push(file);
            self.files.len() - 1
        });
        self.modules.push(Module {
            parent,
            name,
            file,
            children: BTreeMap::new(),
            names: BTreeMap::new(),
            globs: Vec::new(),
            mentions: BTreeSet::new(),
        });
        self.modules.len() - 1
    }

    fn parse(
        &mut self,
        module: ModuleId,
        content: &str,
        children: PathBuf,
        text: &dyn Fn(&str) -> Option<String>,
    ) {
        let parsed = syn::parse_file(content)
            .unwrap_or_else(|error| panic!("{}: {error}", self.file(module)));
        let mut collector = Collector {
            tree: self,
            module,
            children,
            text,
        };
        collector.visit_file(&parsed);
    }
}

/// Collects what one file contains, and the files of the modules that it declares.
struct Collector<'a> {
    tree: &'a mut Tree,
    module: ModuleId,
    /// The directory of the files of child modules.
    children: PathBuf,
    text: &'a dyn Fn(&str) -> Option<String>,
}

impl Collector<'_> {
    fn define(&mut self, name: String, meaning: Name) {
        let names = &mut self.tree.modules[self.module].names;
        names.entry(name).or_default().push(meaning);
    }

    fn define_item(&mut self, name: &syn::Ident) {
        self.define(text_of(name), Name::Item);
    }

    fn refer(&mut self, segments: Vec<String>, written: String, form: Form, span: Span) {
        if form == Form::Path && segments.len() == 1 {
            let mentions = &mut self.tree.modules[self.module].mentions;
            if !mentions.insert(segments[0].clone()) {
                return;
            }
        }
        self.tree.references.push(Reference {
            module: self.module,
            line: span.start().line,
            form,
            segments,
            written,
        });
    }

    fn refer_to_tokens(&mut self, found: Vec<TokenPath>) {
        for path in found {
            if let Some(segments) = inside(path.segments, path.is_global) {
                let glob = if path.is_glob { "::*" } else { "" };
                let written = segments.join("::") + glob;
                self.refer(segments, written, Form::Path, path.span);
            }
        }
    }

    /// The child of this name: a second `mod` of the same name, under another `cfg`, adds to the first.
    fn child(&mut self, name: String, file: String) -> ModuleId {
        if let Some(&known) = self.tree.modules[self.module].children.get(&name) {
            return known;
        }
        let child = self
            .tree
            .add_module(Some(self.module), Some(name.clone()), file);
        self.tree.modules[self.module].children.insert(name, child);
        child
    }

    /// A module in a file of its own.
    fn read_child(&mut self, item: &ItemMod) {
        let name = text_of(&item.ident);
        let here = Path::new(self.tree.file(self.module)).parent().unwrap();
        let candidates = match path_attribute(&item.attrs) {
            Some(path) => {
                let file = here.join(path);
                vec![(file.clone(), file.parent().unwrap().to_owned())]
            }
            None => {
                let children = self.children.join(&name);
                vec![
                    (children.with_extension("rs"), children.clone()),
                    (children.join("mod.rs"), children),
                ]
            }
        };
        for (file, children) in candidates {
            let file = normal(&file);
            if let Some(content) = (self.text)(&file) {
                let child = self.child(name, file);
                return self.tree.parse(child, &content, children, self.text);
            }
        }
        panic!("{}: no file for `mod {name}`", self.tree.file(self.module));
    }

    fn read_use(&mut self, item: &ItemUse) {
        let form = match item.vis {
            Visibility::Inherited => Form::Use,
            _ => Form::PublicUse,
        };
        let mut leaves = Vec::new();
        leaves_of(&item.tree, &[], &mut leaves);
        for leaf in leaves {
            let mut written = leaf.segments.join("::");
            let segments = inside(leaf.segments, item.leading_colon.is_some());
            match (leaf.name, segments) {
                (Some(name), Some(segments)) => {
                    if segments.last() != Some(&name) {
                        written = format!("{written} as {name}");
                    }
                    self.define(name, Name::Import(segments.clone()));
                    self.refer(segments, written, form, leaf.span);
                }
                (Some(name), None) => self.define(name, Name::External),
                (None, Some(segments)) => {
                    self.tree.modules[self.module].globs.push(segments.clone());
                    self.refer(segments, written + "::*", Form::UseGlob, leaf.span);
                }
                (None, None) => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Collector<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        match item {
            Item::Const(item) => self.define_item(&item.ident),
            Item::Enum(item) => self.define_item(&item.ident),
            Item::ExternCrate(item) if item.ident == "self" => {
                if let Some((_, name)) = &item.rename {
                    self.define(text_of(name), Name::Import(vec!["crate".to_owned()]));
                }
            }
            Item::Fn(item) => self.define_item(&item.sig.ident),
            Item::Macro(item) => {
                if let Some(name) = &item.ident {
                    self.define_item(name);
                }
            }
            Item::Static(item) => self.define_item(&item.ident),
            Item::Struct(item) => self.define_item(&item.ident),
            Item::Trait(item) => self.define_item(&item.ident),
            Item::TraitAlias(item) => self.define_item(&item.ident),
            Item::Type(item) => self.define_item(&item.ident),
            Item::Union(item) => self.define_item(&item.ident),
            Item::Use(item) => self.read_use(item),
            _ => {}
        }
        visit::visit_item(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        for attribute in &item.attrs {
            self.visit_attribute(attribute);
        }
        let Some((_, items)) = &item.content else {
            return self.read_child(item);
        };
        let name = text_of(&item.ident);
        let file = self.tree.file(self.module).to_owned();
        let child = self.child(name.clone(), file);
        let parent = std::mem::replace(&mut self.module, child);
        self.children.push(name);
        for item in items {
            self.visit_item(item);
        }
        self.children.pop();
        self.module = parent;
    }

    /// A block with items is a scope for names, as a module is.
    fn visit_block(&mut self, block: &'ast syn::Block) {
        if !block.stmts.iter().any(|stmt| matches!(stmt, Stmt::Item(_))) {
            return visit::visit_block(self, block);
        }
        let file = self.tree.file(self.module).to_owned();
        let scope = self.tree.add_module(Some(self.module), None, file);
        let parent = std::mem::replace(&mut self.module, scope);
        visit::visit_block(self, block);
        self.module = parent;
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments = path.segments.iter();
        let segments = segments.map(|segment| text_of(&segment.ident));
        if let Some(segments) = inside(segments.collect(), path.leading_colon.is_some()) {
            let (written, span) = (segments.join("::"), path.segments[0].ident.span());
            self.refer(segments, written, Form::Path, span);
        }
        visit::visit_path(self, path);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if attribute.path().is_ident("doc") {
            return;
        }
        match &attribute.meta {
            Meta::List(list) => self.refer_to_tokens(paths_in_strings(list.tokens.clone())),
            Meta::NameValue(pair) => {
                if let Expr::Lit(literal) = &pair.value
                    && let Lit::Str(string) = &literal.lit
                {
                    self.refer_to_tokens(paths_in_string(&string.value(), string.span()));
                }
            }
            Meta::Path(_) => {}
        }
        visit::visit_attribute(self, attribute);
    }

    /// The arguments of macros and attributes, and what the parser leaves as it is.
    fn visit_token_stream(&mut self, tokens: &'ast TokenStream) {
        self.refer_to_tokens(paths(tokens.clone()));
    }

    /// `pub(in crate::…)` uses nothing of the module that it names.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

/// What a `use` imports: one path of its tree.
struct Leaf {
    segments: Vec<String>,
    /// The name that it gets here; none for `*`.
    name: Option<String>,
    span: Span,
}

fn leaves_of(tree: &UseTree, before: &[String], leaves: &mut Vec<Leaf>) {
    let with = |ident: &syn::Ident| {
        let mut segments = before.to_vec();
        if ident != "self" || segments.is_empty() {
            segments.push(text_of(ident));
        }
        segments
    };
    match tree {
        UseTree::Path(path) => leaves_of(&path.tree, &with(&path.ident), leaves),
        UseTree::Group(group) => {
            for tree in &group.items {
                leaves_of(tree, before, leaves);
            }
        }
        UseTree::Glob(glob) => leaves.push(Leaf {
            segments: before.to_vec(),
            name: None,
            span: glob.star_token.spans[0],
        }),
        UseTree::Name(leaf) => {
            let segments = with(&leaf.ident);
            leaves.push(Leaf {
                name: segments.last().cloned(),
                segments,
                span: leaf.ident.span(),
            });
        }
        UseTree::Rename(leaf) => leaves.push(Leaf {
            segments: with(&leaf.ident),
            name: Some(text_of(&leaf.rename)),
            span: leaf.ident.span(),
        }),
    }
}

/// The segments of a path that may lead into this crate: none for `::other_crate::…`.
fn inside(segments: Vec<String>, is_global: bool) -> Option<Vec<String>> {
    let is_inside = !is_global
        || segments
            .first()
            .is_some_and(|first| CRATES.contains(&first.as_str()));
    is_inside.then_some(segments)
}

/// The value of `#[path = "…"]`.
fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes
        .iter()
        .find_map(|attribute| match &attribute.meta {
            Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
                Expr::Lit(literal) => match &literal.lit {
                    Lit::Str(path) => Some(path.value()),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        })
}

/// A path with `/`, without `..`.
fn normal(path: &Path) -> String {
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(parts.pop()),
            part => parts.push(part.as_os_str().to_str().unwrap()),
        }
    }
    parts.join("/")
}

fn text_of(ident: &syn::Ident) -> String {
    ident.unraw().to_string()
}
