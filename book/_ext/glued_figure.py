"""A Sphinx directive for a figure that a notebook glued, shown on another page with an alternative text and a caption.

MyST-NB's own ``glue:figure`` looks in the same page only, and its ``glue:any`` across pages gives an image whose
alternative text is its file name::

    ```{glued-figure} the-key
    :doc: ../notebooks/04_evaluation.ipynb
    :alt: What one sees, as a sentence.

    The caption.
    ```
"""

from docutils import nodes
from docutils.parsers.rst import directives
from myst_nb.ext.glue.utils import create_pending_glue_ref
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective


class GluedFigure(SphinxDirective):
    """Put a reference to the glued image into a figure, with its caption."""

    required_arguments = 1
    has_content = True
    option_spec = {  # noqa: RUF012 (docutils' own name and form)
        "doc": directives.unchanged_required,
        "alt": directives.unchanged_required,
        "name": directives.unchanged,
    }

    def run(self) -> list[nodes.Node]:
        if not {"doc", "alt"} <= set(self.options):
            raise self.error("glued-figure needs the options :doc: and :alt:")
        key = self.arguments[0]
        reference = create_pending_glue_ref(
            self.state.document, self.get_source_info()[0], self.lineno, self.options["doc"], key
        )
        figure = nodes.figure("", reference, glued_alt=self.options["alt"])
        self.set_source_info(figure)
        self.add_name(figure)
        if self.content:
            words = nodes.Element()
            self.state.nested_parse(self.content, self.content_offset, words)
            figure += nodes.caption("", "", *words[0].children)
        return [figure]


class AltText(SphinxPostTransform):
    """Give the image its alternative text, once MyST-NB (priority 5) has put it there."""

    default_priority = 6

    def run(self, **_) -> None:
        for figure in self.document.findall(nodes.figure):
            if "glued_alt" in figure:
                for image in figure.findall(nodes.image):
                    image["alt"] = figure["glued_alt"]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive with Sphinx."""
    app.add_directive("glued-figure", GluedFigure)
    app.add_post_transform(AltText)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
