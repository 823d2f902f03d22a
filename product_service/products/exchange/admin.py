"""Import and export on the products' admin page."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from import_export.admin import ImportExportMixin
from import_export.forms import ConfirmImportForm, ImportForm
from import_export.results import Result

from product_service.products.exchange.cells import FileError
from product_service.products.exchange.formats import CSV, XLSX
from product_service.products.exchange.resource import ProductResource
from product_service.products.models import validate_currency

IMPORT_AGAIN = (
    "Nothing was imported, because products have changed since the preview. Import the file again."
)
GONE = "This file has already been imported, or is no longer available. Choose it again."


class FileForm(ImportForm):
    currency = forms.CharField(
        required=False,
        max_length=3,
        validators=[validate_currency],
        help_text="Currency of the prices, such as EUR, if the file has none (as Shopify's).",
    )


class ConfirmForm(ConfirmImportForm):
    currency = forms.CharField(
        required=False, validators=[validate_currency], widget=forms.HiddenInput
    )


class ProductExchange(ImportExportMixin):
    """Import with a preview, all or nothing, and export. Accepts our own columns and Shopify's."""

    resource_classes = [ProductResource]
    formats = [CSV, XLSX]
    import_template_name = "admin/products/product/import.html"
    import_form_class = FileForm
    confirm_form_class = ConfirmForm
    import_error_display = ("message", "row")

    def has_import_permission(self, request: HttpRequest) -> bool:
        """Whether the user may write products at all. Each row is checked on its own."""
        names = ("products.add_product", "products.change_product")
        return any(request.user.has_perm(name) for name in names)

    def has_export_permission(self, request: HttpRequest) -> bool:
        return bool(self.has_view_permission(request))

    def get_confirm_form_initial(self, request: HttpRequest, import_form: Any) -> dict[str, Any]:
        initial: dict[str, Any] = super().get_confirm_form_initial(request, import_form)
        if import_form is not None:
            initial["currency"] = import_form.cleaned_data["currency"]
        return initial

    def get_import_data_kwargs(self, **kwargs: Any) -> dict[str, Any]:
        currency = kwargs["form"].cleaned_data["currency"]
        options: dict[str, Any] = super().get_import_data_kwargs(**kwargs)
        return {**options, "currency": currency, "rollback_on_validation_errors": True}

    def add_data_read_fail_error_to_form(self, form: FileForm, e: Exception) -> None:
        if isinstance(e, FileError):
            form.add_error("import_file", str(e))
        else:
            super().add_data_read_fail_error_to_form(form, e)

    def add_success_message(self, result: Result, request: HttpRequest) -> None:
        super().add_success_message(result, request)
        for note in result.notes:
            messages.info(request, note)

    def process_import(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        try:
            answer: HttpResponse = super().process_import(request, **kwargs)
        except FileNotFoundError:
            return self._back_to_the_file(request, GONE)
        return answer

    def process_result(self, result: Result, request: HttpRequest) -> HttpResponse:
        if result.has_errors() or result.has_validation_errors():
            return self._back_to_the_file(request, IMPORT_AGAIN)
        answer: HttpResponse = super().process_result(result, request)
        return answer

    def _back_to_the_file(self, request: HttpRequest, why: str) -> HttpResponse:
        messages.error(request, why)
        return HttpResponseRedirect(reverse("admin:products_product_import"))
