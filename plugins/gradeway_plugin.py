"""Puts the desk into Airflow's navigation. Every Airflow process imports this file, so it stays thin."""

from functools import cached_property
from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin


class GradewayPlugin(AirflowPlugin):
    """The entry in the navigation, and the app behind it."""

    name = "gradeway"
    external_views: ClassVar = [
        {
            "name": "Gradeway",
            "href": "gradeway/",
            "destination": "nav",
            "url_route": "gradeway",
            "nav_top_level": True,
        }
    ]

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:
        """The desk; only the API server asks for it, and only there is it imported."""
        from gradeway.orchestration import desk

        return [{"app": desk.build(), "url_prefix": "/gradeway", "name": "Gradeway"}]
