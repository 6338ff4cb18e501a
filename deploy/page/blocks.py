"""The tabs of the page, and its language."""

import json
from pathlib import Path

import gradio as gr

from deploy.page.data_set import DataSet
from deploy.page.filling import Filling
from deploy.page.restoring import Restoring
from deploy.page.tab import Page
from deploy.page.texts import LANGUAGES
from deploy.page.translating import Translating
from deploy.page.viewing import add_viewer
from deploy.service import Service

SWITCH = """(chosen) => {
    const said = %s;
    const language = chosen || Object.keys(said)[navigator.language.startsWith("zh") ? 1 : 0];
    return [language, ...said[language]];
}"""  # gradio's own words ("drop a picture here") are always those of the browser's language


def make_blocks(service: Service, folder: Path, data: DataSet | None = None) -> gr.Blocks:
    """The page.

    Args:
        service: what it runs on.
        folder: for files on their way.
        data: what the viewer shows.
    """
    with gr.Blocks(title="Kintsugi", analytics_enabled=False, fill_width=True) as blocks:
        language = gr.Radio(LANGUAGES, value=LANGUAGES[0], show_label=False, container=False, elem_id="language")
        page = Page(service, folder, language)
        page.words.of(gr.Markdown(), value="title")
        with gr.Tabs() as tabs:
            photos = {
                "restore": Restoring(page).photo,
                "fill": Filling(page).photo,
                "translate": Translating(page).photo,
            }
            add_viewer(page, data, tabs, photos)

        said = {one: page.words.updates(one) for one in LANGUAGES}
        parts = [language, *page.words.components()]
        switch = SWITCH % json.dumps(said)
        blocks.load(None, None, parts, js=f"() => ({switch})('')")
        language.input(None, language, parts, js=switch)
    return blocks
