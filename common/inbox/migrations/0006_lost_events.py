from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("inbox", "0005_lines_of_isolated_handlers")]

    operations = [
        migrations.CreateModel(
            name="LostMessages",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("consumer", models.CharField(max_length=255, verbose_name="group")),
                ("topic", models.CharField(max_length=249)),
                ("partition", models.IntegerField()),
                ("first", models.BigIntegerField(verbose_name="first offset")),
                ("last", models.BigIntegerField(verbose_name="last offset")),
                ("noticed_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "verbose_name_plural": "lost messages",
                "ordering": ["-id"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("consumer", "topic", "partition", "first"), name="inbox_lost_once"
                    )
                ],
            },
        ),
        migrations.AddField("worker", "lost", models.BigIntegerField(default=0)),
    ]
